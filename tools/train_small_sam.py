"""Train the small SAM on drawn and genuine images; resumes from its checkpoint, keeps the best export.

Not a rule of the workflow: its result is put into resources/. It may be stopped at any time (Ctrl-C or
SIGTERM: it finishes the step and writes its checkpoint); the same command goes on. On the plateau of the
learning rate --steps may be raised or lowered: the last --decay-steps cool the model down. With --minutes the
cool-down is planned by the clock, over the last 30 % of the time.

The checkpoint is chosen by its mean Dice on held-out scenes and held-out sources, each counted the same.

    python tools/train_small_sam.py --objects DATA --folder results/small_sam
    python tools/train_small_sam.py --objects DATA --device cuda --crops 96 --workers 14 --minutes 10
"""

import argparse
import csv
import logging
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything.modeling import Sam
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

# The library is beside this folder, installed or not.
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from samcarry.data.cases import find_cases
from samcarry.data.user_files import find_label_files
from samcarry.errors import InputError, raise_faults
from samcarry.images.grey import read_grey
from samcarry.images.masks import read_mask
from samcarry.runtime.device import autocast
from samcarry.sam.checkpoints import load_sam, save_sam
from samcarry.sam.small.model import IMAGE_SIZE, build_small_sam, grow_from_tiny
from samcarry.sam.small.objects import HELD_OUT_SOURCES, OPEN_SOURCES, image_files
from samcarry.sam.small.samples import CropBatches, Mixture
from samcarry.sam.small.scores import Question, by_source, overall, score_boxes
from samcarry.sam.small.training import Schedule, batch_loss, rate_at
from samcarry.sam.small.validation import scene_questions, source_questions
from samcarry.sam.tiny.training import warmup_ema
from samcarry.storage.files import atomic

log = logging.getLogger("train_small_sam")

DECAY_SHARE = 0.3  # of --minutes


def main() -> None:
    """Read the arguments and train."""
    arguments = read_arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    run = Run(arguments)
    run.resume()
    run.train()


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("results/small_sam"), help="checkpoint, scores, best"
    )
    parser.add_argument(
        "--objects", type=Path, help="folder of genuine sources; without it, drawn scenes only"
    )
    parser.add_argument("--sources", nargs="*", help="to train on (default: open licences, not held out)")
    parser.add_argument("--held-out", nargs="*", default=list(HELD_OUT_SOURCES), help="to validate on")
    parser.add_argument(
        "--radiographs",
        nargs=2,
        action="append",
        default=[],
        metavar=("FOLDER", "SPLIT"),
        help="data set in the plain contract, only looked at",
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        default=Path("resources/tiny_sam.safetensors"),
        help="a tiny SAM to grow from, or a small one to go on from; 'none' = fresh weights",
    )
    parser.add_argument(
        "--side", type=int, default=IMAGE_SIZE, help="of the square input in training, pixels"
    )
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--decay-steps", type=int, default=2000, help="of these, the cool-down")
    parser.add_argument("--minutes", type=float, help="time budget in all, of all runs in this folder")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--crops", type=int, default=8, help="per step")
    parser.add_argument("--evaluate-minutes", type=float, default=20.0)
    parser.add_argument("--checkpoint-minutes", type=float, default=4.0)
    parser.add_argument("--precision", choices=("float32", "bfloat16", "auto"), default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def start_from(sam: Sam, file: Path) -> None:
    """Give a small SAM the weights of a tiny one, or of an earlier small one."""
    try:
        tiny = load_sam("tiny", file)
    except InputError:
        sam.load_state_dict(load_sam("small", file).state_dict())
    else:
        grow_from_tiny(sam, tiny)


class Run:
    """One training: its models, its state, its files."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.schedule = Schedule(
            arguments.steps, arguments.decay_steps, arguments.learning_rate, seed=arguments.seed
        )
        self.precision = autocast(arguments.precision, arguments.device)
        torch.manual_seed(arguments.seed)
        sam = build_small_sam(arguments.side)
        if str(arguments.start_from) != "none":
            start_from(sam, arguments.start_from)
        self.sam = sam.to(arguments.device).train()
        self.average = (
            AveragedModel(self.sam, avg_fn=warmup_ema(self.schedule.ema)).eval().requires_grad_(False)
        )
        self.average.update_parameters(
            self.sam
        )  # the first update copies the weights, later ones average them
        self.optimiser = torch.optim.AdamW(self.sam.parameters(), weight_decay=0.01)
        self.step, self.best, self.seconds, self.loss = 0, 0.0, 0.0, float("nan")
        self.checkpoint = arguments.folder / "checkpoint.pt"
        self.stopped = False
        self.started = time.monotonic()
        self.files = self._files()

    def _files(self) -> dict[str, list[Path]]:
        if self.arguments.objects is None:
            return {}
        held_out = set(self.arguments.held_out)
        sources = self.arguments.sources or [s for s in OPEN_SOURCES if s not in held_out]
        if overlap := held_out.intersection(sources):
            raise SystemExit(f"--sources and --held-out both name {', '.join(sorted(overlap))}")
        return image_files(self.arguments.objects, sources)

    def resume(self) -> None:
        """Read the checkpoint, if there is one."""
        if not self.checkpoint.exists():
            log.info("starting from scratch")
            return
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.arguments.device)
        self.sam.load_state_dict(state["sam"])
        self.average.module.load_state_dict(state["average"])
        self.average.n_averaged.fill_(state["step"] + 1)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.best = state["step"], state["best"]
        self.seconds, self.loss = state["seconds"], state["loss"]
        log.info("resuming at step %d", self.step)

    def save(self) -> None:
        """Write the checkpoint, atomically."""
        state = {
            "sam": self.sam.state_dict(),
            "average": self.average.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "best": self.best,
            "seconds": self.elapsed(),
            "loss": self.loss,
        }
        with atomic(self.checkpoint) as private:
            torch.save(state, private)

    def elapsed(self) -> float:
        """Seconds of all runs in this folder."""
        return self.seconds + time.monotonic() - self.started

    def left(self) -> float:
        """Share of the cool-down that the time budget leaves: 1 before it, 0 at the end."""
        if self.arguments.minutes is None:
            return 1.0
        budget = 60 * self.arguments.minutes
        return (budget - self.elapsed()) / (DECAY_SHARE * budget)

    def stop(self, *_: object) -> None:
        """Stop after this step."""
        self.stopped = True

    def batches(self) -> Iterator[Any]:
        """The batches of the steps to come."""
        mixture = Mixture(self.arguments.side, self.arguments.crops, seed=self.arguments.seed)
        dataset = CropBatches(mixture, self.files, self.step, self.schedule.steps)
        workers = self.arguments.workers
        return iter(
            DataLoader(
                dataset,
                batch_size=None,
                num_workers=workers,
                prefetch_factor=4 if workers else None,
                worker_init_fn=_prepare_worker,
            )
        )

    def train(self) -> None:
        """Steps until they are all done, the time is over or a signal asks to stop."""
        saved = evaluated = time.monotonic()
        paced, began = self.step, saved
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self.stop)
        for batch in self.batches():
            self.advance(batch)
            now = time.monotonic()
            if self.step % 100 == 0:
                pace = (now - began) / (self.step - paced)
                log.info("step %d loss %.3f, %.2f s a step", self.step, self.loss, pace)
                paced, began = self.step, now
            if self.stopped or self.left() <= 0:
                break
            if now - evaluated > 60 * self.arguments.evaluate_minutes:
                self.evaluate()
                evaluated = time.monotonic()
            if now - saved > 60 * self.arguments.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
        if not self.stopped:
            self.evaluate()
        self.save()
        log.info("stopped at step %d", self.step)

    def advance(self, batch: Any) -> None:
        """One step."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.schedule, self.step, self.left())
        loss = batch_loss(self.sam, batch.to(self.arguments.device), self.schedule, self.step, self.precision)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.sam.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.sam)
        value = loss.item()
        self.loss = value if np.isnan(self.loss) else 0.99 * self.loss + 0.01 * value
        self.step += 1

    def evaluate(self) -> None:
        """Score the average, log it, export it if it is the best so far."""
        scores = by_source(score_boxes(self.average.module, self.questions()))
        value = overall(scores)
        looked_at = by_source(score_boxes(self.average.module, self.radiographs()))
        for source, found in {**scores, **looked_at}.items():
            log.info("step %d %s %s", self.step, source, found)
        log.info("step %d chosen by %.4f (best so far %.4f)", self.step, value, self.best)
        self.record({**scores, **looked_at})
        if value > self.best:
            self.best = value
            about = {
                "steps": str(self.step),
                "score": f"{value:.4f}",
                "sources": " ".join(sorted(self.files)),
            }
            save_sam("small", self.arguments.folder / "best.safetensors", self.average.module, about)

    def record(self, scores: dict[str, dict[str, float]]) -> None:
        """Append one line a source to scores.csv."""
        path = self.arguments.folder / "scores.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = [
            "objects",
            "bare",
            "dice",
            "dice_small",
            "dice_medium",
            "dice_large",
            "iou_error",
            "presence",
        ]
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            if fresh:
                writer.writerow(["step", "loss", "source", *columns])
            for source, found in scores.items():
                row = [found.get(column, "") for column in columns]
                writer.writerow([self.step, round(self.loss, 4), source, *row])

    def questions(self) -> Iterator[Question]:
        """Held-out scenes and sources: by these the checkpoint is chosen."""
        yield from scene_questions(40)
        if self.arguments.objects is not None:
            yield from source_questions(self.arguments.objects, tuple(self.arguments.held_out), 20)

    def radiographs(self) -> Iterator[Question]:
        """Cases of the data sets that are only looked at, up to ten of each and ten objects a case."""
        for folder, split in self.arguments.radiographs:
            yield from read_questions(Path(folder), split, cases=10, objects=10)


def read_questions(folder: Path, split: str, cases: int, objects: int) -> Iterator[Question]:
    """Labelled cases of one split of a data set, at the resolution of their files."""
    found = [case for case in find_cases(folder)[0] if case.split == split and case.labels]
    places = np.linspace(0, len(found) - 1, min(cases, len(found))).round().astype(int)
    faults: list[str] = []
    for place in places:
        image = read_grey(found[place].image)
        files = find_label_files(found[place].labels, faults).values()
        raise_faults(faults)
        masks = [mask for file in files if (mask := read_mask(file)).any()]
        chosen = np.random.default_rng(int(place)).permutation(len(masks))[:objects]
        stack = np.stack([masks[index] for index in chosen])
        yield Question(folder.name, image, stack, stack[:0])


def _prepare_worker(_: int) -> None:
    """Workers compute on one thread, and leave Ctrl-C to the main process."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    main()
