"""Run the benchmarks of all stages, and write their table into README.md.

    python benchmarks/table.py
    python benchmarks/table.py --only cleaning crops
    python benchmarks/table.py --most 3

Stages that need a GPU are marked as not taken where there is none. Commands and numbers of runs are chosen so
that a CPU takes about five minutes. With --most, a stage that needs more minutes of CPU time is stopped and
marked as not taken. A stage that fails is marked too, and the others still run.
"""

import argparse
import platform
import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from os import getloadavg
from pathlib import Path

import torch

HERE = Path(__file__).parent
BEGIN, END = "<!-- table of stages: begin -->", "<!-- table of stages: end -->"
NUMBER = r"([\d.]+)"


@dataclass(frozen=True)
class Stage:
    """A row: what is run, and where the seconds of both are in the output."""

    name: str
    command: str
    ours: str
    other: str
    against: str
    limit: str
    gpu: bool = False

    def row(self, most: int) -> str:
        """The row of the table, from a run of the benchmark; `most` is in seconds of CPU time."""
        if self.gpu and not torch.cuda.is_available():
            return self.without_figures("no GPU")
        command = [sys.executable, str(HERE / self.command.split()[0]), *self.command.split()[1:]]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            ["/bin/sh", "-c", f'ulimit -t {most}; exec "$@"', "sh", *command],
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{self.name}: {seconds:.0f} s of CPU time", file=sys.stderr, flush=True)
        if done.returncode and seconds >= most:
            return self.without_figures(f"needs more than {most // 60} minutes of CPU time")
        found = [re.search(pattern, done.stdout) for pattern in (self.ours, self.other)]
        if done.returncode or not all(found):
            print(f"{self.command}: failed\n{done.stdout}{done.stderr}", file=sys.stderr, flush=True)
            return self.without_figures("failed")
        ours, other = (float(match[1]) for match in found)
        figures = f"{ours:.3g} s | {other:.3g} s | {other / ours:.1f}×"
        return f"| {self.name} | {figures} | {self.against} | {self.limit} |"

    def without_figures(self, why: str) -> str:
        """The row of a stage that was not measured."""
        return f"| {self.name} | not taken | not taken | – | {self.against} | {why} |"


ONE = "--threads 1 --clock cpu"
DECODED = {"ours": rf"chunks of \d+: {NUMBER} s", "other": rf"SamPredictor {NUMBER} s"}
EMBEDDED = {"ours": rf"ours {NUMBER}, SamPredictor", "other": rf"SamPredictor {NUMBER}, "}
PREDICTOR = "`SamPredictor`, one prompt at a time"
STAGES = (
    Stage(
        "cleaning of 17 classes",
        "cleaning.py --threads 1 --runs 1 --clock cpu",
        rf"ours {NUMBER}, ",
        rf"convolution {NUMBER} ",
        "384 poolings and a convolution",
        "one pass over the pixels",
    ),
    Stage(
        "embedding, tiny SAM",
        f"embedding.py --model tiny --images 10 {ONE}",
        **EMBEDDED,
        against="`set_image` in float32",
        limit="starting many small layers",
    ),
    Stage(
        "embedding, ViT-B",
        f"embedding.py --model vit_b --runs 1 {ONE}",
        **EMBEDDED,
        against="`set_image` in float32",
        limit="matrix products and attention",
    ),
    Stage(
        "decoding, tiny SAM",
        f"decoding.py --model tiny {ONE}",
        **DECODED,
        against=PREDICTOR,
        limit="products of 17 × 1,024 tokens",
    ),
    Stage(
        "decoding, ViT-B",
        f"decoding.py --model vit_b --runs 1 {ONE}",
        **DECODED,
        against=PREDICTOR,
        limit="products of 17 × 4,096 tokens",
    ),
    Stage(
        "refinement on crops, small SAM",
        f"zoom.py --runs 1 {ONE}",
        rf"on crops: {NUMBER} s",
        rf"SamPredictor {NUMBER} s",
        "`SamPredictor`, one crop at a time",
        "embedding 17 crops",
    ),
    Stage(
        "tuning, 40 trials",
        f"tuning.py --trials 40 --cases 3 {ONE}",
        rf"study {NUMBER} s",
        rf"with SamPredictor {NUMBER} s",
        "each trial from disk",
        "the mask decoder",
    ),
    Stage(
        "`samcarry predict`, 2,000×1,500",
        f"predict.py --images 1 {ONE}",
        rf"ours: {NUMBER} s",
        rf"plain loop: {NUMBER} s",
        "a loop that writes the same masks and measures nothing",
        "the network, and measuring 24 possible contours of each class",
    ),
    Stage(
        "embedding, ViT-H, GPU",
        "embedding.py --model vit_h --images 32 --threads 8",
        **EMBEDDED,
        against="`set_image` in float32",
        limit="matrix products",
        gpu=True,
    ),
    Stage(
        "decoding, ViT-H, GPU",
        "decoding.py --model vit_h --chunk 64",
        **DECODED,
        against=PREDICTOR,
        limit="starting small kernels",
        gpu=True,
    ),
    Stage(
        "training step, 31 M parameters, GPU",
        "training.py --batch 16 --steps 60 --threads 8",
        rf"ours in auto: {NUMBER} ",
        rf"(?m)^.*?: {NUMBER} \w+ seconds per step, 1\.00 times",
        "the plain float32 loop",
        "instance norms and ReLUs",
        gpu=True,
    ),
)


def processor() -> str:
    """The name of the processor, as Linux gives it."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def main() -> None:
    """Run the stages, and write the table, or print a part of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", help="parts of names of stages, whose rows are printed only")
    parser.add_argument("--most", type=int, default=60, help="minutes of CPU time that a stage may take")
    arguments = parser.parse_args()
    chosen = [stage for stage in STAGES if any(part in stage.name for part in arguments.only or [""])]
    before = getloadavg()[0]
    rows = [stage.row(60 * arguments.most) for stage in chosen]
    about = (
        f"{processor()}, torch {torch.__version__}, {datetime.now(UTC):%Y-%m-%d}, "
        f"load {before:.1f} before and {getloadavg()[0]:.1f} after; CPU seconds of one thread, "
        "wall seconds on a GPU."
    )
    head = ["| stage | ours | other | ratio | other is | limited by |", "|---|---|---|---|---|---|"]
    table = "\n".join([BEGIN, about, "", *head, *rows, END])
    page = HERE / "README.md"
    text = page.read_text(encoding="utf-8")
    if arguments.only:
        print(table)
    else:
        start, end = text.index(BEGIN), text.index(END) + len(END)
        page.write_text(text[:start] + table + text[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
