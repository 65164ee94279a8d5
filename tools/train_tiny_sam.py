"""Train the tiny SAM on drawn scenes; resumes from its checkpoint and keeps the best export.

This is not a rule of the workflow; its result is included in resources/. The training can be stopped at any
time and resumed with the same command. Over the last --decay-steps of --steps, the learning rate falls to
zero.
"""

import argparse
import csv
import logging
import sys
import time
from pathlib import Path

import torch
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

# Use the library next to this folder, even if it is not installed.
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from samcarry.runtime.processes import usable_cpus
from samcarry.sam.checkpoints import save_sam
from samcarry.sam.tiny.model import build_tiny_sam
from samcarry.sam.tiny.scores import score_on_scenes
from samcarry.sam.tiny.training import Recipe, SceneBatches, batch_loss, learning_rate, warmup_ema
from samcarry.storage.files import atomic, sha256

log = logging.getLogger("train_tiny_sam")


def main() -> None:
    """Read the arguments, train, evaluate regularly on held-out scenes, and export the best model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8000, help="number of steps")
    parser.add_argument(
        "--decay-steps", type=int, default=1500, help="last steps, with a falling learning rate"
    )
    parser.add_argument("--evaluate-every", type=int, default=250, help="number of steps between evaluations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("results/tiny_sam"))
    parser.add_argument("--output", type=Path, default=Path("resources/tiny_sam.safetensors"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(usable_cpus())
    torch.manual_seed(arguments.seed)
    recipe = Recipe(arguments.steps, arguments.decay_steps, seed=arguments.seed)

    sam = build_tiny_sam().train()
    average = AveragedModel(sam, avg_fn=warmup_ema(recipe.ema)).eval()
    average.update_parameters(sam)  # the first update copies the weights, later ones average them
    optimiser = torch.optim.AdamW(sam.parameters(), weight_decay=0.01)
    first, best = 0, 0.0
    checkpoint = arguments.folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        sam.load_state_dict(state["sam"])
        average.module.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first, best = state["step"], state["best"]
        average.n_averaged.fill_(first + 1)
        log.info("resuming at step %d", first)

    batches = DataLoader(SceneBatches(recipe, first), batch_size=None, num_workers=2, prefetch_factor=4)
    started, running = time.monotonic(), 0.0
    for step, batch in enumerate(batches, start=first):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, step)
        loss = batch_loss(sam, batch, recipe, step)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(sam.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(sam)
        running = loss.item() if step == first else 0.98 * running + 0.02 * loss.item()
        done = step + 1
        if done % 50 == 0:
            pace = (time.monotonic() - started) / (done - first)
            left = pace * (recipe.steps - done) / 60
            log.info("step %d, loss %.3f, %.2f s per step, %.0f min left", done, running, pace, left)
        if done % arguments.evaluate_every == 0 or done == recipe.steps:
            scores = score_on_scenes(average.module)
            if scores["box"] >= best:
                best = scores["box"]
                save_sam("tiny", arguments.output, average.module, {"steps": str(done)})
                log.info("best model so far, SHA-256 %s", sha256(arguments.output))
            log.info("step %d: %s", done, scores)
            table = arguments.folder / "scores.csv"
            is_new = not table.exists()
            table.parent.mkdir(parents=True, exist_ok=True)
            with table.open("a", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                if is_new:
                    writer.writerow(["step", "loss", *scores])
                writer.writerow([done, round(running, 4), *scores.values()])
            state = {
                "sam": sam.state_dict(),
                "average": average.module.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": done,
                "best": best,
            }
            with atomic(checkpoint) as private:
                torch.save(state, private)


if __name__ == "__main__":
    main()
