"""Outlines of masks along the edges of pixels, which give exactly the same mask when they are drawn."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_Corner = tuple[int, int]


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """One closed outline (corner, xy) for each connected part of a mask (height, width).

    Corners are whole numbers: the pixel in column x and row y covers x to x + 1 and y to y + 1. An outline
    encloses the pixels of its part by the even-odd rule. It reaches a hole along pixel edges, and returns
    along the same edges, so that formats without holes can express one.
    """
    parts, _ = ndimage.label(mask)
    found = []
    for index, window in enumerate(ndimage.find_objects(parts), start=1):
        rings = _rings(parts[window] == index)
        outline = rings[0]
        for hole in rings[1:]:
            outline = _joined(outline, hole)
        offset = np.array([window[1].start, window[0].start])
        found.append(outline + offset)
    return found


def _rings(part: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """The outer outline of one connected part, and those of its holes."""
    padded = np.pad(part, 1)
    following: dict[_Corner, list[_Corner]] = {}
    # Each edge between a pixel of the part and another one, with the part on its right.
    for (row, column), (start, end) in {
        (-1, 0): ((0, 0), (1, 0)),
        (0, 1): ((1, 0), (1, 1)),
        (1, 0): ((1, 1), (0, 1)),
        (0, -1): ((0, 1), (0, 0)),
    }.items():
        beside = padded[1 + row : padded.shape[0] - 1 + row, 1 + column : padded.shape[1] - 1 + column]
        for y, x in np.argwhere(part & ~beside).tolist():
            following.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    rings = []
    # The topmost edge belongs to the outer outline.
    for first in sorted(following, key=lambda corner: (corner[1], corner[0])):
        while following[first]:
            ring = [first]
            while (after := following[ring[-1]].pop()) != first:
                ring.append(after)
            rings.append(_without_straight_corners(np.array(ring)))
    return rings


def _without_straight_corners(ring: NDArray[np.int64]) -> NDArray[np.int64]:
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    return ring[(before != after).any(axis=1)]


def _joined(outline: NDArray[np.int64], hole: NDArray[np.int64]) -> NDArray[np.int64]:
    """An outline that makes a detour around a hole, from the corner that is nearest to it."""
    distances = np.abs(outline[:, None] - hole).sum(axis=2)
    start, near = np.unravel_index(int(distances.argmin()), distances.shape)
    turned = np.roll(hole, -int(near), axis=0)
    (x, _), (_, y) = turned[0], outline[start]
    way = np.array([[x, y]])  # horizontally and then vertically, so never through the centre of a pixel
    detour = np.concatenate([way, turned, turned[:1], way, outline[start : start + 1]])
    return np.insert(outline, int(start) + 1, detour, axis=0)
