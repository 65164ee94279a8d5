"""How far a measurement may be off, from measurements of other contours that are possible as well.

The other contours come from the probability map (`possible_shapes`); any other list of them, such as an inner
and an outer contour with a guarantee, gives intervals in the same way (`interval_of`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.special import ndtri

from samcarry.measure.shapes import Shape, Spacing, measure_shape

COVERAGE = 0.9
"""The share of true values that intervals are meant to contain, if probabilities are right."""

_LEVELS = np.linspace((1 - COVERAGE) / 2, (1 + COVERAGE) / 2, 6)
_LONGEST = 256  # pixels of the longer side at which other contours are measured
_MARGIN = 2  # pixels around what is cut out


@dataclass(frozen=True)
class Interval:
    """A measured value, in the unit of its column.

    Attributes:
        value: measured on the mask that is written.
        low: the least value of the possible contours, at most `value`.
        high: their largest value, at least `value`.
        confidence: 0..1, the share of the possible contours whose value differs from `value` by no more than
            a tolerance; contours without anything to measure count as different.
    """

    value: float
    low: float
    high: float
    confidence: float


def interval_of(value: float, others: Sequence[float | None], tolerance: float) -> Interval:
    """The interval of a value, given the values of other possible contours; None where nothing is left."""
    known = [float(other) for other in others if other is not None]
    close = sum(abs(other - value) <= tolerance for other in known)
    return Interval(
        float(value),
        min([value, *known]),
        max([value, *known]),
        close / len(others) if others else 0.0,
    )


def possible_shapes(
    probability: NDArray[np.uint8], mask: NDArray[np.bool_], shape: Shape, spacing: Spacing
) -> list[Shape | None]:
    """The contours that are possible besides that of a mask, in a fixed order; None where nothing is left.

    A pixel of probability p is taken to be inside with this probability, and neighbours to err together. The
    contour can then be too large or too small, shifted along or across the shape, or turned. Each of these
    four is applied at six levels, of which the outermost ones leave 5 % of the probability on either side:
    pixels with p > 1 - Φ(m z) are inside, where z is the level as a normal quantile, and m is by how much the
    error moves the contour there: 1 for the size; the part of the outward normal along or across the shape
    for shifts; for a turn what it moves along the normal, 1 at most at the ends of the shape. Parts that do
    not meet the mask are left out.

    Args:
        probability: at network size, 0..255 for 0..1.
        mask: the mask at the size of the image (height, width), not empty.
        shape: its measurements.
        spacing: height and width of a pixel of the image.
    """
    cut = _cut(probability, mask)
    height, width = mask.shape
    rows, columns = cut.target
    # Height and width of a pixel of what was cut out, in pixels of the image.
    scale = (cut.bottom - cut.top) * height / rows, (cut.right - cut.left) * width / columns
    fine = spacing[0] * scale[0], spacing[1] * scale[1]
    origin = cut.top * height / scale[0], cut.left * width / scale[1]
    certain = ndtri((np.clip(cut.values, 0, 1) * 255 + 0.5) / 256)
    x = (np.arange(columns) + origin[1] + 0.5) * fine[1] - shape.centre[0]
    y = (np.arange(rows)[:, None] + origin[0] + 0.5) * fine[0] - shape.centre[1]
    slopes = np.gradient(ndimage.gaussian_filter(certain, 1)) if min(cut.target) > 1 else [0 * certain] * 2
    normal_x, normal_y = -slopes[1] / fine[1], -slopes[0] / fine[0]
    steepness = np.maximum(np.hypot(normal_x, normal_y), 1e-9)
    normal_x, normal_y = normal_x / steepness, normal_y / steepness
    modes = (
        np.ones_like(certain),
        normal_x * shape.axis[0] + normal_y * shape.axis[1],
        normal_y * shape.axis[0] - normal_x * shape.axis[1],
        np.clip((x * normal_y - y * normal_x) / (shape.length / 2), -1, 1),
    )
    found = []
    for mode, level in product(modes, _LEVELS):
        field = certain + ndtri(level) * mode
        kept = touching(field > 0, cut.mask)
        found.append(measure_shape(np.where(kept, field, np.minimum(field, -1e-6)), fine, origin))
    return found


def pairs(
    first: Sequence[Shape | None], second: Sequence[Shape | None]
) -> Iterator[tuple[Shape | None, Shape | None]]:
    """Pairs of the possible contours of two classes: both err in the same way, or in opposite ways."""
    steps = len(_LEVELS)
    for place, one in enumerate(first):
        mode, level = divmod(place, steps)
        yield one, second[place]
        yield one, second[mode * steps + steps - 1 - level]


def touching(mask: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected components of a mask that meet another one, of the same shape."""
    labels, count = ndimage.label(mask)
    meets = np.zeros(count + 1, dtype=bool)
    meets[labels[kept & mask]] = True
    return meets[labels]


@dataclass(frozen=True)
class _Cut:
    """The part of a probability map in which contours can be.

    Attributes:
        top, bottom, left, right: its place, as shares of the image.
        target: (rows, columns) at which it was resampled.
        values: probabilities 0..1.
        mask: the mask there.
    """

    top: float
    bottom: float
    left: float
    right: float
    target: tuple[int, int]
    values: NDArray[np.float64]
    mask: NDArray[np.bool_]


def _cut(probability: NDArray[np.uint8], mask: NDArray[np.bool_]) -> _Cut:
    small, drawn = probability.shape, mask.astype(np.float32)
    low = resampled(drawn, small, Image.Resampling.BOX) > 0
    reach = touching((probability > 255 * _LEVELS[0]) | low, low)
    box = []
    for axis, size in ((1, small[0]), (0, small[1])):
        set_ = np.flatnonzero(reach.any(axis=axis))
        box += [max(0, set_[0] - _MARGIN), min(size, set_[-1] + 1 + _MARGIN)]
    top, bottom, left, right = box
    native = (bottom - top) * mask.shape[0] / small[0], (right - left) * mask.shape[1] / small[1]
    shrunk = min(1.0, _LONGEST / max(native))
    target = max(1, round(native[0] * shrunk)), max(1, round(native[1] * shrunk))
    place = (left, top, right, bottom)
    values = resampled(probability / 255, target, Image.Resampling.BILINEAR, place)
    high, wide = mask.shape[0] / small[0], mask.shape[1] / small[1]
    of_mask = (left * wide, top * high, right * wide, bottom * high)
    inside = resampled(drawn, target, Image.Resampling.BOX, of_mask) > 0
    return _Cut(
        top / small[0],
        bottom / small[0],
        left / small[1],
        right / small[1],
        target,
        values.astype(np.float64),
        inside,
    )


def resampled(
    values: NDArray[np.floating],
    size: tuple[int, ...],
    how: Image.Resampling,
    box: tuple[float, float, float, float] | None = None,
) -> NDArray[np.float32]:
    """Values (height, width), or what is in `box` (left, top, right, bottom) of them, at another size."""
    picture = Image.fromarray(values.astype(np.float32, copy=False))
    if box is not None:  # rounding may have moved it beyond the edge, which Pillow refuses
        left, top, right, bottom = box
        box = (left, top, min(right, picture.width), min(bottom, picture.height))
    return np.asarray(picture.resize((size[1], size[0]), how, box))
