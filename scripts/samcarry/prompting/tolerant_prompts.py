"""Prompts that tolerate errors in P: deep points, boxes that grow where P leaks out, a soft first mask.

Beyond the paper; the ideas are those of SAMRefiner (Lin et al., ICLR 2025).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samcarry.prompting.prompts import Box, Point, Prompt, extract_prompts

LEAK = 0.15
"""A side of a box moves on while the mean probability of the next row or column exceeds this."""

FURTHEST = 0.2
"""A side moves by at most this share of the box's extent."""


def extract_tolerant_prompts(
    masks: NDArray[np.bool_], probabilities: NDArray[np.uint8]
) -> list[Prompt | None]:
    """Prompts of each class (class, height, width); None = class absent.

    Args:
        masks: the most likely component of each class, or a cleaned mask.
        probabilities: times 255, of the same shape.
    """
    return extract_prompts(
        masks, deepest_point, lambda index, box: grown_box(box, probabilities[index] / 255)
    )


def deepest_point(mask: NDArray[np.bool_]) -> Point:
    """The middle (x, y) of the pixel that lies deepest within a mask, so never outside it.

    Of several equally deep ones, the one nearest to the centre of mass is taken.
    """
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= depth.max() - 1e-9)
    away = (rows - np.nonzero(mask)[0].mean()) ** 2 + (columns - np.nonzero(mask)[1].mean()) ** 2
    nearest = int(np.argmin(away))
    return float(columns[nearest] + 0.5), float(rows[nearest] + 0.5)


def grown_box(box: Box, probability: NDArray[np.float64]) -> Box:
    """A box whose sides have moved outwards as long as probability (height, width), 0..1, lies beyond."""
    x0, y0, x1, y1 = (int(side) for side in box)
    height, width = probability.shape
    most_x, most_y = round((x1 - x0) * FURTHEST), round((y1 - y0) * FURTHEST)
    rows, columns = probability[y0:y1], probability[:, x0:x1]
    return (
        float(x0 - _leaking(rows[:, max(x0 - most_x, 0) : x0].mean(axis=0)[::-1])),
        float(y0 - _leaking(columns[max(y0 - most_y, 0) : y0].mean(axis=1)[::-1])),
        float(x1 + _leaking(rows[:, x1 : min(x1 + most_x, width)].mean(axis=0))),
        float(y1 + _leaking(columns[y1 : min(y1 + most_y, height)].mean(axis=1))),
    )


def _leaking(outwards: NDArray[np.float64]) -> int:
    """How many of the lines next to a box, from the nearest on, carry probability."""
    dry = np.flatnonzero(outwards <= LEAK)
    return int(dry[0]) if len(dry) else len(outwards)


def soft_masks(probabilities: NDArray[np.uint8], prompts: Sequence[Prompt | None]) -> NDArray[np.float32]:
    """Logits of P within each present class's box, (present class, height, width); far outside -10."""
    present = [index for index, prompt in enumerate(prompts) if prompt is not None]
    logits = np.full((len(present), *probabilities.shape[1:]), -10, dtype=np.float32)
    for place, index in enumerate(present):
        x0, y0, x1, y1 = (int(side) for side in prompts[index].box)  # type: ignore[union-attr]
        inside = np.clip(probabilities[index, y0:y1, x0:x1] / 255, 1e-4, 1 - 1e-4)
        logits[place, y0:y1, x0:x1] = np.log(inside / (1 - inside))
    return logits
