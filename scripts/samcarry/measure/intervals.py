"""How far a measurement may be off, from measurements of other contours that are possible as well.

The other contours come from the probability map (`possible_shapes`); any other list of them, such as an inner
and an outer contour with a guarantee, gives intervals in the same way (`interval_of`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtri

from samcarry.measure.cutting import cut_out, touching
from samcarry.measure.shapes import (
    Shape,
    Spacing,
    measure_shapes,
    moments_of_each,
    outline_of,
    pixel_moments,
)

COVERAGE = 0.9
"""The share of true values that intervals are meant to contain, if probabilities are right."""

_LEVELS = np.linspace((1 - COVERAGE) / 2, (1 + COVERAGE) / 2, 6)
_QUANTILES = ndtri(_LEVELS)
_OUTSIDE = 1e-6  # the field is at least as far below 0 in parts that are left out


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
    probability: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    shape: Shape,
    spacing: Spacing,
    *,
    outline: bool = True,
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
        outline: whether the shapes have their outlines.
    """
    cut = cut_out(probability, mask, _LEVELS[0])
    height, width = mask.shape
    rows, columns = cut.values.shape
    # Height and width of a pixel of what was cut out, in pixels of the image.
    scale = (cut.bottom - cut.top) * height / rows, (cut.right - cut.left) * width / columns
    fine = spacing[0] * scale[0], spacing[1] * scale[1]
    origin = cut.top * height / scale[0], cut.left * width / scale[1]
    certain = ndtri((np.clip(cut.values, 0, 1) * 255 + 0.5) / 256)
    modes = _modes(certain, shape, fine, origin)
    inside, moments = _possible_pixels(certain, modes, cut.mask)

    def field_at(which: NDArray[np.intp], places: NDArray[np.intp], are_inside: bool) -> NDArray[np.float64]:
        mode, level = np.divmod(which, len(_LEVELS))
        field = certain.take(places) + _QUANTILES[level] * modes.take(mode * certain.size + places)
        return field if are_inside else np.minimum(field, -_OUTSIDE)

    found = measure_shapes(inside, moments, field_at, fine, origin)
    if not outline:
        return found
    fields = certain + (_QUANTILES[:, None, None] * modes[:, None]).reshape(inside.shape)
    fields = np.where(inside, fields, np.minimum(fields, -_OUTSIDE))
    return [
        one and replace(one, outline=outline_of(field, fine, origin))
        for one, field in zip(found, fields, strict=True)
    ]


def _modes(
    certain: NDArray[np.float64], shape: Shape, fine: Spacing, origin: tuple[float, float]
) -> NDArray[np.float64]:
    """By how much each of the four errors moves the contour at each pixel, -1..1, (error, height, width)."""
    rows, columns = certain.shape
    x = (np.arange(columns) + origin[1] + 0.5) * fine[1] - shape.centre[0]
    y = (np.arange(rows)[:, None] + origin[0] + 0.5) * fine[0] - shape.centre[1]
    slopes = np.gradient(ndimage.gaussian_filter(certain, 1)) if min(rows, columns) > 1 else [0 * certain] * 2
    normal_x, normal_y = -slopes[1] / fine[1], -slopes[0] / fine[0]
    steepness = np.maximum(np.hypot(normal_x, normal_y), 1e-9)
    normal_x, normal_y = normal_x / steepness, normal_y / steepness
    return np.stack(
        [
            np.ones_like(certain),
            normal_x * shape.axis[0] + normal_y * shape.axis[1],
            normal_y * shape.axis[0] - normal_x * shape.axis[1],
            np.clip((x * normal_y - y * normal_x) / (shape.length / 2), -1, 1),
        ]
    )


def _possible_pixels(
    certain: NDArray[np.float64], modes: NDArray[np.float64], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The pixels of each possible contour (24, height, width), and their moments (24, 6).

    No error moves a contour farther than the outermost level, so only the pixels in between are computed.
    """
    reach = _QUANTILES[-1] + 1e-6
    sure = certain > reach
    near = np.flatnonzero(abs(certain) <= reach)
    inside = np.repeat(sure.reshape(1, -1), len(modes) * len(_LEVELS), axis=0)
    among_near = np.empty((len(inside), len(near)), dtype=bool)
    certain_near, modes_near = certain.take(near), modes.reshape(len(modes), -1).take(near, axis=1)
    errors = product(modes_near, _QUANTILES)
    for (mode, quantile), pixels, of_near in zip(errors, inside, among_near, strict=True):
        np.greater(certain_near + quantile * mode, 0, out=of_near)
        pixels[near] = of_near
    inside = inside.reshape(-1, *certain.shape)
    moments = pixel_moments(sure[None]) + among_near.astype(np.float64) @ moments_of_each(near, certain.shape)
    doubtful = _with_parts(inside, certain, mask)
    for which in doubtful:
        inside[which] = touching(inside[which], mask)
    moments[doubtful] = pixel_moments(inside[doubtful])
    return inside, moments


def _with_parts(
    inside: NDArray[np.bool_], certain: NDArray[np.float64], mask: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Those of some sets of pixels (set, height, width) that may have parts that do not meet a mask.

    From each pixel, the way leads to the most certain one of its neighbours. If this is inside wherever the
    pixel is, up to the mask, everything is connected to the mask. This is the usual case, and much faster to
    check than finding connected components.
    """
    padded = np.pad(certain, 1, constant_values=-np.inf)
    width = certain.shape[1]
    beside = np.flatnonzero(inside.any(axis=0) & ~mask)
    rows, columns = np.divmod(beside, width)
    places = (rows + 1) * (width + 2) + columns + 1
    neighbours = padded.ravel()[places + np.array([[-width - 2], [width + 2], [-1], [1]])]
    best = neighbours.argmax(axis=0)
    upwards = neighbours.max(axis=0) > certain.ravel()[beside]
    uphill = np.where(upwards, beside + np.array([-width, width, -1, 1])[best], beside)
    flat = inside.reshape(len(inside), -1)
    lost = flat[:, beside] & ~(flat[:, uphill] & upwards)
    return np.flatnonzero(lost.any(axis=1))


def pairs(
    first: Sequence[Shape | None], second: Sequence[Shape | None]
) -> Iterator[tuple[Shape | None, Shape | None]]:
    """Pairs of the possible contours of two classes: both err in the same way, or in opposite ways."""
    steps = len(_LEVELS)
    for place, one in enumerate(first):
        mode, level = divmod(place, steps)
        yield one, second[place]
        yield one, second[mode * steps + steps - 1 - level]
