"""Time SAM's embedding against SamPredictor.set_image image by image in float32; compare the masks.

    python benchmarks/embedding.py
    python benchmarks/embedding.py --model tiny --images 20

All models except the tiny one have random weights. The compared masks are decoded from both embeddings, with
17 boxes and points on each image. Our embedding is stored in half precision.
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from timing import CLOCKS, agreement, draw, sam_of, seconds_in_turn

from samcarry.prompting.prompts import extract_prompts
from samcarry.runtime.device import Precision
from samcarry.runtime.processes import usable_cpus
from samcarry.sam.checkpoints import BUILDERS
from samcarry.sam.embedding import embed_images
from samcarry.sam.refinement import refine


def by_predictor(sam: Sam, images: list[NDArray[np.uint8]]) -> list[Tensor]:
    """Embeddings (C, rows, columns) of grey images, float32."""
    predictor, found = SamPredictor(sam), []
    for image in images:
        predictor.set_image(np.repeat(image[:, :, None], 3, axis=2))
        found.append(predictor.get_image_embedding()[0].cpu())
    return found


def main() -> None:
    """Time both on the same images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="vit_b", choices=sorted(BUILDERS))
    parser.add_argument("--size", nargs=2, type=int, default=[384, 224], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--precision", default="auto", choices=get_args(Precision))
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sam, size = sam_of(arguments.model), tuple(arguments.size)
    image, components = draw(*size, 17)
    images = [np.roll(image, 5 * index, axis=0) for index in range(arguments.images)]
    found: dict[str, list[Tensor]] = {}
    seconds = seconds_in_turn(
        {
            "ours": lambda: found.update(ours=list(embed_images("sam", sam, images, arguments.precision))),
            "theirs": lambda: found.update(theirs=by_predictor(sam, images)),
        },
        arguments.runs,
        arguments.clock,
    )
    apart = max(
        float((ours.float() - theirs).norm() / theirs.norm())
        for ours, theirs in zip(*found.values(), strict=True)
    )
    prompts = extract_prompts(components)
    masks = {
        way: np.stack([refine(sam, embedding, prompts, size).masks for embedding in embeddings])
        for way, embeddings in found.items()
    }
    ours, theirs = (seconds[way] / len(images) for way in ("ours", "theirs"))
    print(
        f"{arguments.model}, {len(images)} images, {arguments.precision}, "
        f"{arguments.threads} threads, {arguments.runs} runs"
    )
    print(
        f"{arguments.clock} seconds per image: ours {ours:.4f}, SamPredictor {theirs:.4f}, "
        f"{theirs / ours:.2f} times as long"
    )
    print(
        f"embeddings differ by {apart:.1e} of their norm; masks: {agreement(masks['ours'], masks['theirs'])}"
    )


if __name__ == "__main__":
    main()
