"""Prompts that tolerate errors in P: points deep inside, growing boxes, and a soft first mask.

Beyond the paper; the ideas are from SAMRefiner (Lin et al., ICLR 2025).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samcarry.prompting.prompts import Box, Point, Prompt, extract_prompts

MIN_PROBABILITY = 0.15
"""A side of a box moves outwards while the mean probability of the next row or column exceeds this."""

MAX_GROWTH = 0.2
"""A side moves by at most this share of the box's extent."""


def extract_tolerant_prompts(
    masks: NDArray[np.bool_], probabilities: NDArray[np.uint8]
) -> list[Prompt | None]:
    """Prompts of each class (class, height, width); None = class absent.

    Args:
        masks: the most likely component of each class, or a cleaned mask.
        probabilities: times 255, of the same shape.
    """
    return extract_prompts(masks, deepest_point, lambda index, box: grow_box(box, probabilities[index] / 255))


def deepest_point(mask: NDArray[np.bool_]) -> Point:
    """The centre (x, y) of the pixel with the largest distance from the edge of a mask (height, width).

    Unlike the centre of mass, it is always inside the mask. Among equally deep pixels the one nearest to the
    centre of mass is returned.
    """
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= depth.max() - 1e-9)
    distance = (rows - np.nonzero(mask)[0].mean()) ** 2 + (columns - np.nonzero(mask)[1].mean()) ** 2
    nearest = int(np.argmin(distance))
    return float(columns[nearest] + 0.5), float(rows[nearest] + 0.5)


def grow_box(box: Box, probability: NDArray[np.float64]) -> Box:
    """A box grown to where `probability` (height, width), 0..1, continues outside its sides."""
    x0, y0, x1, y1 = (int(side) for side in box)
    height, width = probability.shape
    most_x, most_y = round((x1 - x0) * MAX_GROWTH), round((y1 - y0) * MAX_GROWTH)
    rows, columns = probability[y0:y1], probability[:, x0:x1]
    return (
        float(x0 - _lines_to_add(rows[:, max(x0 - most_x, 0) : x0].mean(axis=0)[::-1])),
        float(y0 - _lines_to_add(columns[max(y0 - most_y, 0) : y0].mean(axis=1)[::-1])),
        float(x1 + _lines_to_add(rows[:, x1 : min(x1 + most_x, width)].mean(axis=0))),
        float(y1 + _lines_to_add(columns[y1 : min(y1 + most_y, height)].mean(axis=1))),
    )


def _lines_to_add(outwards: NDArray[np.float64]) -> int:
    """The number of adjacent rows or columns outside a box, nearest first, to add to it."""
    low = np.flatnonzero(outwards <= MIN_PROBABILITY)
    return int(low[0]) if len(low) else len(outwards)


def soft_masks(probabilities: NDArray[np.uint8], prompts: Sequence[Prompt | None]) -> NDArray[np.float32]:
    """Logits of P inside the box of each present class (present class, height, width); -10 outside."""
    present = [index for index, prompt in enumerate(prompts) if prompt is not None]
    logits = np.full((len(present), *probabilities.shape[1:]), -10, dtype=np.float32)
    for place, index in enumerate(present):
        x0, y0, x1, y1 = (int(side) for side in prompts[index].box)  # type: ignore[union-attr]
        inside = np.clip(probabilities[index, y0:y1, x0:x1] / 255, 1e-4, 1 - 1e-4)
        logits[place, y0:y1, x0:x1] = np.log(inside / (1 - inside))
    return logits
