"""The size and place of one shape, and what is between two shapes.

A shape is given by a field: values (height, width) that are positive inside and negative outside, at the
centres of pixels. Its contour runs where the field is zero, found by linear interpolation between neighbours;
that of a mask without probabilities runs halfway between pixels. Coordinates are (x, y) from the upper left
corner of the image, in the unit of the spacing.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree

from samcarry.measure.expressions import ANGLE, GAP

Spacing = tuple[float, float]
"""(height, width) of a pixel: in mm, or (1, 1) for pixels."""


@dataclass(frozen=True)
class Shape:
    """The measurements of one shape.

    Attributes:
        area: of its pixels.
        centre: (x, y) of the centre of mass of its pixels.
        length: the longer side of the rectangle of least area around its contour, in any orientation.
        width: the shorter side of this rectangle.
        axis: unit vector (x, y) of its greatest extent, by second moments; its sign has no meaning.
        contour: points (N, 2) of its contour.
        inside: its pixels, bool (height, width).
        spacing: height and width of these pixels.
        origin: (row, column) of the upper left corner of `inside` in the image, in its pixels.
    """

    area: float
    centre: tuple[float, float]
    length: float
    width: float
    axis: tuple[float, float]
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


def field_of(mask: NDArray[np.bool_], probability: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """A field that is positive exactly in a mask (height, width).

    Args:
        mask: the mask.
        probability: 0..1, of the same shape; its level 0.5 places the contour between two pixels.
    """
    if probability is None:
        return mask.astype(np.float64) - 0.5
    least = 1 / 512  # where the mask does not follow from the probability, the contour is close to the pixel
    above = probability - 0.5
    return np.where(mask, np.maximum(above, least), np.minimum(above, -least))


def measure_shape(
    field: NDArray[np.float64], spacing: Spacing, origin: tuple[float, float] = (0.0, 0.0)
) -> Shape | None:
    """The measurements of a field; None if it is nowhere positive.

    Args:
        field: see above.
        spacing: height and width of a pixel.
        origin: (row, column) of the field's upper left corner in the image, in its pixels.
    """
    inside = field > 0
    rows, columns = np.nonzero(inside)
    if len(rows) == 0:
        return None
    height, width = spacing
    points = np.column_stack([(columns + origin[1] + 0.5) * width, (rows + origin[0] + 0.5) * height])
    contour = (_crossings(field) + np.array([origin[1], origin[0]])) * np.array([width, height])
    centre = points.mean(axis=0)
    length, across = _least_rectangle(contour)
    return Shape(
        area=len(rows) * height * width,
        centre=(float(centre[0]), float(centre[1])),
        length=length,
        width=across,
        axis=_axis(points - centre),
        contour=contour,
        inside=inside,
        spacing=spacing,
        origin=origin,
    )


def between(first: Shape, second: Shape, kind: str) -> float:
    """GAP, DISTANCE or ANGLE (in degrees) between two shapes."""
    if kind == GAP:
        return gap(first, second)
    if kind == ANGLE:
        return angle(first.axis, second.axis)
    return math.dist(first.centre, second.centre)


def gap(first: Shape, second: Shape) -> float:
    """The smallest distance between two contours; 0 if the shapes touch or overlap."""
    if first.contains(second.contour).any() or second.contains(first.contour).any():
        return 0.0
    distances, _ = cKDTree(first.contour).query(second.contour)
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


def _least_rectangle(points: NDArray[np.float64]) -> tuple[float, float]:
    """The longer and the shorter side of the rectangle of least area around points (N, 2)."""
    try:
        hull = points[ConvexHull(points).vertices]
    except QhullError:  # all on one line
        sides = np.ptp(points, axis=0)
        return float(np.hypot(*sides)), 0.0
    # One of its sides lies on a side of the hull. The hull's sides turn to the left, so the corner that is
    # farthest in a direction is where the first side begins that points a quarter turn or more to its left.
    edges = np.roll(hull, -1, axis=0) - hull
    along = edges / np.linalg.norm(edges, axis=1, keepdims=True)
    angles = np.arctan2(edges[:, 1], edges[:, 0]) % (2 * np.pi)
    first = int(np.argmin(angles))
    hull, along, angles = (np.roll(values, -first, axis=0) for values in (hull, along, angles))
    ahead, opposite, behind = (
        hull[np.searchsorted(angles, (angles + turn) % (2 * np.pi)) % len(hull)]
        for turn in (np.pi / 2, np.pi, 3 * np.pi / 2)
    )
    across = np.column_stack([-along[:, 1], along[:, 0]])
    sides = np.stack([((ahead - behind) * along).sum(axis=1), ((opposite - hull) * across).sum(axis=1)])
    least = sides[:, int(np.argmin(sides.prod(axis=0)))]
    return float(least.max()), float(least.min())


def _axis(offsets: NDArray[np.float64]) -> tuple[float, float]:
    x, y = offsets.T
    turn = 0.5 * math.atan2(2 * float((x * y).sum()), float((x * x).sum() - (y * y).sum()))
    return math.cos(turn), math.sin(turn)
