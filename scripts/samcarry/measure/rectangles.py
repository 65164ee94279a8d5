"""The rectangle of least area around each of many shapes, from the outermost points of their contours.

All shapes are computed in one go, because a call of NumPy takes longer than the few points of one shape.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]


def least_rectangles(points: Numbers, shape_of: Places, count: int) -> tuple[Numbers, Numbers]:
    """The longer and the shorter sides, (count,) each; 0 for shapes without a point.

    Args:
        points: points (N, 2) of all shapes, in any order.
        shape_of: the shape, 0 to count - 1, of each point (N,).
        count: number of shapes.
    """
    longer, shorter = np.zeros((2, count))
    if len(points):
        hull, owner = convex_hulls(points, shape_of)
        sides = _sides(hull, owner)
        starts = np.flatnonzero(np.diff(owner, prepend=-1))
        areas = sides.prod(axis=0)
        least = np.minimum.reduceat(areas, starts)
        found = np.flatnonzero(areas == np.repeat(least, np.diff([*starts, len(owner)])))[::-1]
        first = np.zeros(count, dtype=np.intp)
        first[owner[found]] = found  # of several, the first one is assigned last
        present = owner[starts]
        longer[present] = sides[:, first[present]].max(axis=0)
        shorter[present] = sides[:, first[present]].min(axis=0)
    return longer, shorter


def convex_hulls(points: Numbers, shape_of: Places) -> tuple[Numbers, Places]:
    """The corners (M, 2) of the convex hull of each shape, turning to the left, and their shapes (M,).

    Each hull begins with its first side in the order of angles from -90 degrees on. A point or a line is a
    hull of one or two corners.
    """
    order = np.lexsort((points[:, 1], points[:, 0], shape_of))
    x, y, owner = points[order, 0], points[order, 1], shape_of[order]
    same = (owner[1:] == owner[:-1]) & (x[1:] == x[:-1])  # a point and the next one, which is above it
    lowest, highest = np.append(True, ~same), np.append(~same, True)
    below = np.flatnonzero(lowest)[outermost(x[lowest], -y[lowest], owner[lowest])]
    above = np.flatnonzero(highest)[outermost(x[highest], y[highest], owner[highest])]
    first = np.diff(owner[above], prepend=-1) != 0
    # The upper left corner, the lower chain from left to right, and the upper one back to the left.
    corners = np.concatenate([above[first], below, above[~first]])
    part = np.repeat([0, 1, 2], [first.sum(), len(below), (~first).sum()])
    along = np.where(part == 2, -corners, corners)
    corners = corners[np.lexsort((along, part, owner[corners]))]
    hull, owner = np.column_stack([x[corners], y[corners]]), owner[corners]
    # Where both chains begin or end in the same point, it counts once.
    again = (np.diff(owner, prepend=-1) == 0) & (np.diff(hull, axis=0, prepend=np.nan) == 0).all(axis=1)
    return hull[~again], owner[~again]


def outermost(places: Numbers, heights: Numbers, chain_of: Places) -> Places:
    """The indices of the points on the upper convex hulls of chains.

    A point that is not above the line between its neighbours is not on the hull of its chain. All such
    points are removed at once, until there are none.

    Args:
        places: ascending in each chain, (N,).
        heights: of the points, (N,).
        chain_of: the chain of each point (N,); those of a chain follow each other.
    """
    left = np.arange(len(places))
    while True:
        place, height, chain = places[left], heights[left], chain_of[left]
        rise = (height[1:-1] - height[:-2]) * (place[2:] - place[:-2])
        kept = rise > (height[2:] - height[:-2]) * (place[1:-1] - place[:-2])
        kept |= chain[2:] != chain[:-2]
        if kept.all():
            return left
        left = left[np.concatenate([[True], kept, [True]])]


def _sides(hull: Numbers, owner: Places) -> Numbers:
    """The sides (2, M) of the rectangle on each side of hulls.

    The hull's sides turn to the left, so the corner that is farthest in a direction is where the first side
    begins that points a quarter turn or more to its left.
    """
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    sizes = np.diff([*starts, len(owner)])
    start, end = np.repeat(starts, sizes), np.repeat(starts + sizes, sizes)
    after = np.arange(1, len(owner) + 1)
    edges = hull[np.where(after == end, start, after)] - hull
    along = edges / np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), np.finfo(float).tiny)
    across = np.column_stack([-along[:, 1], along[:, 0]])
    turned = (np.arctan2(edges[:, 1], edges[:, 0]) + np.pi / 2) % (2 * np.pi)
    spread = 8.0 * owner  # the angles of a shape are apart from those of all others
    ahead, opposite, behind = (
        hull[np.where((found := np.searchsorted(spread + turned, spread + turn)) == end, start, found)]
        for turn in ((turned + quarters * np.pi / 2) % (2 * np.pi) for quarters in (1, 2, 3))
    )
    return np.stack([((ahead - behind) * along).sum(axis=1), ((opposite - hull) * across).sum(axis=1)])
