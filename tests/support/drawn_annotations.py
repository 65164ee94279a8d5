"""Draws annotations in tests."""

import numpy as np
from numpy.typing import NDArray

from samcarry.geometry.rasterise import draw_masks
from samcarry.geometry.shapes import Annotation


def drawn(annotation: Annotation) -> dict[str, NDArray[np.bool_]]:
    """{class: mask} of an annotation at its own size; fails if there are faults."""
    assert annotation.size is not None
    faults: list[str] = []
    masks = draw_masks(annotation, *annotation.size, faults)
    assert not faults
    return masks
