"""The size and place of one shape, and what is between two shapes.

A shape is given by a field: values (height, width) that are positive inside and negative outside, at the
centres of pixels. Its contour runs where the field is zero, found by linear interpolation between neighbours;
that of a mask without probabilities runs halfway between pixels. Coordinates are (x, y) from the upper left
corner of the image, in the unit of the spacing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from samcarry.measure.expressions import ANGLE, GAP
from samcarry.measure.rectangles import least_rectangles, outermost

_LEAST = 1 / 512
"""Of a field where the mask does not follow from the probability: the contour is close to the pixel there."""

Spacing = tuple[float, float]
"""(height, width) of a pixel: in mm, or (1, 1) for pixels."""

FieldAt = Callable[[NDArray[np.intp], NDArray[np.intp], bool], NDArray[np.float64]]
"""The fields of some shapes at some pixels, as indices row by row, all of which are inside, or none."""


@dataclass(frozen=True)
class Outline:
    """Where a shape is.

    Attributes:
        contour: points (N, 2) of its contour.
        inside: its pixels, bool (height, width).
        spacing: height and width of these pixels.
        origin: (row, column) of the upper left corner of `inside` in the image, in its pixels.
    """

    contour: NDArray[np.float64]
    inside: NDArray[np.bool_]
    spacing: Spacing
    origin: tuple[float, float]

    def contains(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each of the points (N, 2) is inside."""
        places = np.floor(points[:, ::-1] / self.spacing - self.origin).astype(int)
        known = ((places >= 0) & (places < self.inside.shape)).all(axis=1)
        found = np.zeros(len(points), dtype=bool)
        found[known] = self.inside[tuple(places[known].T)]
        return found


@dataclass(frozen=True)
class Shape:
    """The measurements of one shape.

    Attributes:
        area: of its pixels.
        centre: (x, y) of the centre of mass of its pixels.
        length: the longer side of the rectangle of least area around its contour, in any orientation.
        width: the shorter side of this rectangle.
        axis: unit vector (x, y) of its greatest extent, by second moments; its sign has no meaning.
        outline: for gaps; None if it was not asked for, as it takes as long as everything else.
    """

    area: float
    centre: tuple[float, float]
    length: float
    width: float
    axis: tuple[float, float]
    outline: Outline | None = None


def field_of(mask: NDArray[np.bool_], probability: NDArray[np.floating] | None = None) -> NDArray[np.float64]:
    """A field that is positive exactly in a mask (height, width).

    Args:
        mask: the mask.
        probability: 0..1, of the same shape; its level 0.5 places the contour between two pixels.
    """
    if probability is None:
        return mask.astype(np.float64) - 0.5
    above = probability.astype(np.float64) - 0.5
    return np.where(mask, np.maximum(above, _LEAST), np.minimum(above, -_LEAST))


def measure_shape(
    field: NDArray[np.float64], spacing: Spacing, origin: tuple[float, float] = (0.0, 0.0)
) -> Shape | None:
    """The measurements of a field, with its outline; None if it is nowhere positive.

    Args:
        field: see above.
        spacing: height and width of a pixel.
        origin: (row, column) of the field's upper left corner in the image, in its pixels.
    """
    inside = (field > 0)[None]
    (shape,) = measure_shapes(
        inside, pixel_moments(inside), lambda _, places, __: field.take(places), spacing, origin
    )
    return shape and replace(shape, outline=outline_of(field, spacing, origin))


def measure_drawn(
    mask: NDArray[np.bool_],
    probability: NDArray[np.floating],
    spacing: Spacing,
    origin: tuple[float, float],
    *,
    outline: bool,
) -> Shape:
    """The measurements of `field_of(mask, probability)`, which is computed only where the contour is.

    Args:
        mask: as for `field_of`, not empty.
        probability: as for `field_of`.
        spacing: as for `measure_shape`.
        origin: as for `measure_shape`.
        outline: whether the shape has its outline.

    Raises:
        ValueError: the mask is empty.
    """

    def field_at(_: NDArray[np.intp], places: NDArray[np.intp], are_inside: bool) -> NDArray[np.float64]:
        above = probability.take(places).astype(np.float64) - 0.5
        return np.maximum(above, _LEAST) if are_inside else np.minimum(above, -_LEAST)

    inside = mask[None]
    (shape,) = measure_shapes(inside, pixel_moments(inside), field_at, spacing, origin)
    if shape is None:
        raise ValueError("the mask is empty")
    if not outline:
        return shape
    return replace(shape, outline=outline_of(field_of(mask, probability), spacing, origin))


def measure_shapes(
    inside: NDArray[np.bool_],
    moments: NDArray[np.float64],
    field_at: FieldAt,
    spacing: Spacing,
    origin: tuple[float, float],
) -> list[Shape | None]:
    """The measurements of several shapes on the same pixels, without outlines; None for an empty shape.

    Args:
        inside: the pixels of each shape, (shape, height, width).
        moments: their `pixel_moments`, (shape, 6).
        field_at: the fields at pixels.
        spacing: as for `measure_shape`.
        origin: as for `measure_shape`.
    """
    height, width = spacing
    points, shape_of = _outermost_crossings(inside, field_at)
    scale = np.array([width, height])
    lengths, widths = least_rectangles((points + np.array(origin[::-1])) * scale, shape_of, len(inside))
    found: list[Shape | None] = []
    for (count, x, y, xx, xy, yy), length, across in zip(moments, lengths, widths, strict=True):
        if count == 0:
            found.append(None)
            continue
        # In pixels, the sums are exact, and so each centre is the nearest number there is.
        centre = (
            (x + count * (origin[1] + 0.5)) * width / count,
            (y + count * (origin[0] + 0.5)) * height / count,
        )
        spread_x, spread_y = (xx - x * x / count) * width**2, (yy - y * y / count) * height**2
        turn = 0.5 * math.atan2(2 * (xy - x * y / count) * width * height, spread_x - spread_y)
        found.append(
            Shape(
                area=float(count * height * width),
                centre=(float(centre[0]), float(centre[1])),
                length=float(length),
                width=float(across),
                axis=(math.cos(turn), math.sin(turn)),
            )
        )
    return found


def pixel_moments(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Number of pixels, and sums of x, y, x², xy and y² over them, (shape, 6), of (shape, height, width).

    These are whole numbers of columns and rows, so that they are exact in any order of adding.
    """
    y, x = (np.arange(size, dtype=np.float64) for size in inside.shape[1:])
    along = inside.astype(np.float64) @ np.column_stack([np.ones_like(x), x, x * x])
    count, sum_x, sum_xx = np.moveaxis(along, 2, 0)
    sums = (count.sum(axis=1), sum_x.sum(axis=1), count @ y, sum_xx.sum(axis=1), sum_x @ y, count @ (y * y))
    return np.column_stack(sums)


def moments_of_each(places: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """What each of some pixels adds to `pixel_moments`, (N, 6).

    Args:
        places: their indices, row by row.
        shape: (height, width).
    """
    y, x = (part.astype(np.float64) for part in np.divmod(places, shape[1]))
    return np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])


def outline_of(field: NDArray[np.float64], spacing: Spacing, origin: tuple[float, float]) -> Outline:
    """The outline of a field; arguments as for `measure_shape`."""
    contour = (_crossings(field) + np.array(origin[::-1])) * np.array(spacing[::-1])
    return Outline(contour, field > 0, spacing, origin)


def between(first: Shape, second: Shape, kind: str) -> float:
    """GAP, DISTANCE or ANGLE (in degrees) between two shapes."""
    if kind == GAP:
        return gap(first, second)
    if kind == ANGLE:
        return angle(first.axis, second.axis)
    return math.dist(first.centre, second.centre)


def gap(first: Shape, second: Shape) -> float:
    """The smallest distance between two contours; 0 if the shapes touch or overlap."""
    one, other = first.outline, second.outline
    if one is None or other is None:
        raise ValueError("a gap needs outlines")
    if one.contains(other.contour).any() or other.contains(one.contour).any():
        return 0.0
    from scipy.spatial import cKDTree  # here, because it takes a tenth of a second, and few measure gaps

    distances, _ = cKDTree(one.contour).query(other.contour)
    return float(distances.min())


def angle(first: tuple[float, float], second: tuple[float, float]) -> float:
    """The angle between two axes, 0 to 90 degrees."""
    along = abs(first[0] * second[0] + first[1] * second[1])
    across = abs(first[0] * second[1] - first[1] * second[0])
    return math.degrees(math.atan2(across, along))


def _crossings(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (x, y) at which the field is zero between neighbours; outside the image it is negative."""
    padded = np.pad(field, 1, mode="edge")
    for border in (padded[0], padded[-1], padded[:, 0], padded[:, -1]):
        border[:] = -np.abs(border)
    inside = padded > 0
    found = []
    for axis in (0, 1):
        before = padded[:-1] if axis == 0 else padded[:, :-1]
        after = padded[1:] if axis == 0 else padded[:, 1:]
        differs = inside[:-1] != inside[1:] if axis == 0 else inside[:, :-1] != inside[:, 1:]
        places = np.nonzero(differs)
        one, other = before[places], after[places]
        moved = one / (one - other)
        rows = places[0] + (moved if axis == 0 else 0)
        columns = places[1] + (moved if axis == 1 else 0)
        found.append(np.column_stack([columns, rows]))
    return np.concatenate(found) - 0.5  # less the padding of 1, more half a pixel to its centre


def _outermost_crossings(
    inside: NDArray[np.bool_], field_at: FieldAt
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Those of the points of `_crossings` that may be corners of the convex hull, and their shapes.

    Only the first and the last point of each row and column may be.
    """
    height, width = inside.shape[1:]
    padded = np.pad(inside, ((0, 0), (1, 1), (1, 1)))
    found, shapes = [], []
    for axis in (1, 2):
        shape, row, column = _changes(padded, axis)
        line, place = (row - 1, column) if axis == 2 else (column - 1, row)
        key = shape * max(padded.shape) + line
        if axis == 1:  # sorted by row, and so from the first to the last one of a column
            order = np.argsort(key, kind="stable")
            shape, line, place, key = shape[order], line[order], place[order], key[order]
        changed = np.flatnonzero(np.diff(key)) + 1
        firsts, lasts = np.append(0, changed), np.append(changed - 1, len(key) - 1)
        for ends, step in ((firsts, -1), (lasts, 1)) if len(key) else ():
            which, across, end = shape[ends], line[ends], place[ends]
            within = end - (step > 0)  # the last pixel that is inside
            beyond = within + step
            known = (beyond >= 0) & (beyond < (width if axis == 2 else height))
            near, far = within, np.where(known, beyond, within)
            places = [across * width + one if axis == 2 else one * width + across for one in (near, far)]
            own = field_at(which, places[0], True)
            other = np.where(known, field_at(which, places[1], False), -np.abs(own))
            moved = within + 0.5 + step * own / (own - other)
            corners = outermost(across, step * moved, which)
            moved, middle = moved[corners], across[corners] + 0.5
            found.append(np.column_stack([moved, middle] if axis == 2 else [middle, moved]))
            shapes.append(which[corners])
    return np.concatenate([np.zeros((0, 2)), *found]), np.concatenate([np.zeros(0, np.intp), *shapes])


def _changes(
    padded: NDArray[np.bool_], axis: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Shapes, rows and columns of pixels that differ from the next one along an axis, sorted in this way."""
    after = padded[:, 1:] if axis == 1 else padded[:, :, 1:]
    differs = after != (padded[:, :-1] if axis == 1 else padded[:, :, :-1])
    shape, row, column = np.unravel_index(np.flatnonzero(differs), differs.shape)
    return shape, row, column
