"""The two ways of asking a SAM: its own, and MedSAM's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from torch import Tensor

from samcarry.medsam import embed_for_medsam, refine_by_medsam
from samcarry.prompts import Prompt
from samcarry.sam import Refined, embed, refine


@dataclass(frozen=True)
class Passes:
    """Prompt kinds of the first and the second pass (None = no second pass)."""

    first: str
    second: str | None


MEDSAM_PASSES = Passes("box", None)


def embed_image(protocol: str, sam: Sam, image: NDArray[np.uint8]) -> Tensor:
    """Embedding (C, rows, columns) of a grey image (height, width), as 'sam' or 'medsam' wants it."""
    return {"sam": embed, "medsam": embed_for_medsam}[protocol](sam, image)


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
