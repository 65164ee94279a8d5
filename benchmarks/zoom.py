"""Time refinement on crops, against SamPredictor with one crop at a time, and against whole images.

    python benchmarks/zoom.py
    python benchmarks/zoom.py --model vit_b --classes 4 --runs 1

Every class of one image is asked for on a crop of 2.5 times its box, in two passes: the box, then the first
answer as mask prompt. Each crop has to be embedded, by both. The baseline embeds a crop with `set_image` and
predicts at its size. `whole` is our refinement of the same prompts on one embedding of the whole image.

All models except the tiny and the small one have random weights. Their masks have no meaning, but are
compared anyway.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from timing import CLOCKS, agreement, draw, sam_of, seconds_in_turn

from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.runtime.processes import usable_cpus
from samcarry.sam.checkpoints import BUILDERS
from samcarry.sam.crops import window_around
from samcarry.sam.zoom import ZoomSettings, refine_on_crops

ZOOM = 2.5
SETTINGS = ZoomSettings(
    first="box", second="mask", zoom=ZOOM, prior="none", fuse=1.0, multimask=False, prompts=1
)


def one_by_one(sam: Sam, image: NDArray[np.uint8], prompts: Sequence[Prompt | None]) -> NDArray[np.bool_]:
    """Masks (class, height, width) from SamPredictor, each on a crop of its own."""
    masks = np.zeros((len(prompts), *image.shape), dtype=bool)
    predictor = SamPredictor(sam)
    for mask, prompt in zip(masks, prompts, strict=True):
        if prompt is None:
            continue
        window = window_around(prompt.box, ZOOM, (image.shape[0], image.shape[1]))
        predictor.set_image(np.repeat(image[window.view][..., None], 3, axis=2))
        box = np.array(prompt.box) - np.array([window.left, window.top] * 2)
        _, _, low = predictor.predict(box=box, multimask_output=False)
        answer, _, _ = predictor.predict(mask_input=low, multimask_output=False)
        mask[window.view] = answer[0]
    return masks


def main() -> None:
    """Time the three on one image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="small", choices=sorted(BUILDERS))
    parser.add_argument("--size", nargs=2, type=int, default=[384, 224], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--classes", type=int, default=17)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sam, size = sam_of(arguments.model), tuple(arguments.size)
    image, components = draw(*size, arguments.classes)
    prompts = extract_prompts(components)
    probabilities = components.astype(np.uint8) * 255

    def ours(settings: ZoomSettings) -> NDArray[np.bool_]:
        return refine_on_crops(
            sam, image, prompts, probabilities, settings, precision=arguments.precision
        ).masks

    ways = {
        "on crops": lambda: ours(SETTINGS),
        "whole": lambda: ours(replace(SETTINGS, zoom=None)),
        "SamPredictor": lambda: one_by_one(sam, image, prompts),
    }
    seconds = seconds_in_turn(ways, arguments.runs, arguments.clock)
    print(
        f"{arguments.model}, {arguments.classes} classes, {arguments.threads} threads, "
        f"{arguments.precision}, {arguments.clock} seconds, {arguments.runs} runs"
    )
    print(f"SamPredictor {seconds['SamPredictor']:.3f} s")
    for name in ("on crops", "whole"):
        ratio = seconds["SamPredictor"] / seconds[name]
        print(f"{name}: {seconds[name]:.3f} s, {ratio:.2f} times as fast as SamPredictor on crops")
    print(f"on crops and SamPredictor: {agreement(ours(SETTINGS), one_by_one(sam, image, prompts))}")


if __name__ == "__main__":
    main()
