"""The two ways of asking a SAM: its own, and MedSAM's."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from torch import Tensor

from samcarry.encoder import encode
from samcarry.hardware import Precision, ahead, autocast, fitting, in_batches
from samcarry.medsam import refine_by_medsam, stretch, to_medsam_input
from samcarry.prompts import Prompt
from samcarry.sam import Refined, fill_square, refine, to_sam_input


@dataclass(frozen=True)
class Passes:
    """Prompt kinds of the first and the second pass (None = no second pass)."""

    first: str
    second: str | None


MEDSAM_PASSES = Passes("box", None)

# What a CPU makes of an image, and what becomes of a batch of these on SAM's device.
_FORMS: dict[str, tuple[Callable[..., NDArray[Any]], Callable[..., Tensor]]] = {
    "sam": (fill_square, to_sam_input),
    "medsam": (stretch, to_medsam_input),
}


def embed_images(
    protocol: str,
    sam: Sam,
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    precision: Precision = "float32",
    at_once: int | None = None,
) -> Iterator[Tensor]:
    """Embeddings (C, rows, columns) of grey images (height, width), float16 on the CPU.

    Args:
        protocol: 'sam' or 'medsam', which want the image in different forms.
        sam: the model.
        images: N images of one size, or an array of them.
        precision: in which the image encoder computes.
        at_once: images in the first batches (see `hardware.in_batches`); None = what suits the device.
    """
    prepare, to_input = _FORMS[protocol]
    at_once = at_once or fitting(sam.device, cpu=1, gpu=16)
    in_precision = autocast(precision, sam.device)

    @torch.inference_mode()
    def embed(batch: Sequence[NDArray[Any]]) -> Tensor:
        inputs = to_input(sam, batch)
        with in_precision:
            return encode(sam.image_encoder, inputs).half().cpu()

    return in_batches(embed, ahead(partial(prepare, sam), images, 2 * at_once), at_once)


def refine_case(
    protocol: str,
    sam: Sam,
    embedding: Tensor,
    prompts: Sequence[Prompt | None],
    size: tuple[int, int],
    passes: Passes,
) -> Refined:
    """Redraw every present class of one case (see `sam.refine` and `medsam.refine_by_medsam`).

    Raises:
        ValueError: MedSAM is asked for anything but a box in one pass.
    """
    if protocol == "sam":
        return refine(sam, embedding, prompts, size, passes.first, passes.second)
    if passes != MEDSAM_PASSES:
        raise ValueError(f"MedSAM takes a box in one pass, not {passes}")
    return refine_by_medsam(sam, embedding, prompts, size)
