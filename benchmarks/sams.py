"""Measure every SAM that can be configured: parameters, embedding, memory, seconds an image.

    python benchmarks/sams.py                     # all, one after the other, each in a process of its own
    python benchmarks/sams.py --model sam2.1_tiny

All models except our own have random weights, which take as long as trained ones. An image is embedded,
and 17 objects are asked for by a box, then by points and the first mask. The memory is the highest of the
process, with Python and its libraries. On a CPU, the seconds are those of all cores together, which vary less
than wall time on a machine that others use: two free cores need about half as long.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import torch

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from timing import DEVICE, draw, sam_of, seconds_in_turn

from samcarry.prompting.prompts import extract_prompts
from samcarry.sam.checkpoints import BUILDERS
from samcarry.sam.embedding import embed
from samcarry.sam.refinement import refine


def measure(model: str, threads: int, runs: int) -> str:
    """One row of the table in docs/sams.md."""
    torch.set_num_threads(threads)
    sam, size = sam_of(model), (384, 224)
    image, components = draw(*size, 17)
    prompts = extract_prompts(components)
    made = []
    ways = {
        "embed": lambda: made.append(embed(sam, image)),
        "refine": lambda: refine(sam, made[-1], prompts, size),
    }
    found = seconds_in_turn(ways, runs, "cpu" if DEVICE == "cpu" else "wall")
    parameters = sum(parameter.numel() for parameter in sam.parameters()) / 1e6
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return (
        f"| `{model}` | {parameters:.0f} M | {made[-1].nbytes / 1e6:.1f} MB | {memory:.1f} GB "
        f"| {found['embed']:.1f} s | {found['refine']:.1f} s |"
    )


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", choices=sorted(BUILDERS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.model:
        print(measure(arguments.model, arguments.threads, arguments.runs))
        return
    print(f"| model | parameters | embedding | memory | an image ({DEVICE}) | 17 objects ({DEVICE}) |")
    print("|---|---|---|---|---|---|", flush=True)
    options = ["--threads", str(arguments.threads), "--runs", str(arguments.runs)]
    for model in BUILDERS:
        subprocess.run([sys.executable, __file__, "--model", model, *options], check=True)


if __name__ == "__main__":
    main()
