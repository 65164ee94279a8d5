"""Train the tiny SAM on drawn scenes; resumes from its checkpoint, keeps the best export.

Not a rule of the workflow: its result lies in resources/. Stop it at any time, start it again with the
same command to go on; to finish, give the step to stop at: the last --decay-steps cool it down.
"""

import argparse
import copy
import csv
import logging
import sys
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

# The library is beside this folder, installed or not.
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from samcarry.runtime.processes import usable_cpus
from samcarry.sam.checkpoints import save_tiny_sam
from samcarry.sam.tiny.model import build_tiny_sam
from samcarry.sam.tiny.scores import score_on_scenes
from samcarry.sam.tiny.training import Recipe, SceneBatches, batch_loss, learning_rate, update_ema
from samcarry.storage.files import atomic, sha256

log = logging.getLogger("train_tiny_sam")


def main() -> None:
    """Read the arguments, train, evaluate every so often on held-out scenes, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8000, help="steps in all")
    parser.add_argument("--decay-steps", type=int, default=1500, help="of these, the cool-down")
    parser.add_argument("--evaluate-every", type=int, default=250, help="steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("results/tiny_sam"))
    parser.add_argument("--output", type=Path, default=Path("resources/tiny_sam.safetensors"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(usable_cpus())
    torch.manual_seed(arguments.seed)
    recipe = Recipe(arguments.steps, arguments.decay_steps, seed=arguments.seed)

    sam = build_tiny_sam().train()
    average = copy.deepcopy(sam).eval()
    optimiser = torch.optim.AdamW(sam.parameters(), weight_decay=0.01)
    first, best = 0, 0.0
    checkpoint = arguments.folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        sam.load_state_dict(state["sam"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first, best = state["step"], state["best"]
        log.info("resumed at step %d", first)

    batches = DataLoader(SceneBatches(recipe, first), batch_size=None, num_workers=2, prefetch_factor=4)
    began, running = time.monotonic(), 0.0
    for step, batch in enumerate(batches, start=first):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, step)
        loss = batch_loss(sam, batch, recipe, step)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(sam.parameters(), 1.0)
        optimiser.step()
        update_ema(list(average.parameters()), list(sam.parameters()), step, recipe.ema)
        running = loss.item() if step == first else 0.98 * running + 0.02 * loss.item()
        done = step + 1
        if done % 50 == 0:
            pace = (time.monotonic() - began) / (done - first)
            left = pace * (recipe.steps - done) / 60
            log.info("step %d loss %.3f, %.2f s a step, %.0f min left", done, running, pace, left)
        if done % arguments.evaluate_every == 0 or done == recipe.steps:
            scores = score_on_scenes(average)
            if scores["box"] >= best:
                best = scores["box"]
                save_tiny_sam(arguments.output, average, {"steps": str(done)})
                log.info("best so far, sha256 %s", sha256(arguments.output))
            log.info("step %d %s", done, scores)
            record = arguments.folder / "scores.csv"
            fresh = not record.exists()
            record.parent.mkdir(parents=True, exist_ok=True)
            with record.open("a", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                if fresh:
                    writer.writerow(["step", "loss", *scores])
                writer.writerow([done, round(running, 4), *scores.values()])
            state = {
                "sam": sam.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": done,
                "best": best,
            }
            with atomic(checkpoint) as private:
                torch.save(state, private)


if __name__ == "__main__":
    main()
