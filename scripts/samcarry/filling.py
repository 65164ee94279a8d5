"""Polygons as pixels: an even-odd fill along the rows.

scikit-image's `polygon2mask` has the same rule and gives the same pixels, but asks each pixel about each
side; Pillow paints the outline besides.
"""

import numpy as np
from numpy.typing import NDArray

_MOST_PAIRS = 250_000  # of a side and a row it meets, worked on at once


def fill_polygon(corners: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """The pixels (height, width) whose centres lie inside a closed polygon, on a side or on a corner.

    Where the polygon crosses itself, what it winds round an even number of times is outside; a side that
    is run through twice counts as none.

    Args:
        corners: (corner, xy) in pixels from the upper left corner of the image; centres lie at halves.
        height: rows.
        width: columns.
    """
    ends = corners - 0.5  # centres now lie at whole numbers
    starts = np.roll(ends, 1, axis=0)
    low, high = np.minimum(starts, ends)[:, 1], np.maximum(starts, ends)[:, 1]
    first = np.clip(np.ceil(low), 0, height).astype(np.int64)
    rows_met = np.maximum(np.clip(np.floor(high) + 1, 0, height).astype(np.int64) - first, 0)
    pairs_before = np.cumsum(rows_met) - rows_met
    # How many sides were crossed up to a pixel, modulo 256: once as seen from the right, once from the left.
    crossed = np.zeros((2, height, width + 1), np.uint8)
    for begin in range(0, int(rows_met.sum()), _MOST_PAIRS):
        pair = np.arange(begin, min(begin + _MOST_PAIRS, int(rows_met.sum())))
        side = np.searchsorted(pairs_before, pair, side="right") - 1
        _cross(starts[side], ends[side], first[side] + pair - pairs_before[side], crossed)
    # On a side the two views differ.
    inside: NDArray[np.bool_] = (np.cumsum(crossed, axis=2, dtype=np.uint8) % 2 == 1).any(axis=0)[:, :width]
    on_centre = (ends == np.rint(ends)).all(axis=1) & ((ends >= 0) & (ends < (width, height))).all(axis=1)
    columns, rows = ends[on_centre].astype(np.int64).T
    inside[rows, columns] = True
    return inside


def _cross(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    rows: NDArray[np.int64],
    crossed: NDArray[np.uint8],
) -> None:
    """Count the crossings of sides (side, xy) with one row each, at the first pixel beyond."""
    sloping = starts[:, 1] != ends[:, 1]
    (x0, y0), (x1, y1), row = starts[sloping].T, ends[sloping].T, rows[sloping]
    y0, y1 = y0 - row, y1 - row
    width = crossed.shape[2] - 1
    near = np.floor(np.clip((x1 * y0 - x0 * y1) / (y0 - y1), -2, width + 1))
    beyond = np.zeros((2, len(near)))
    for column in (near, near + 1):  # rounding must not decide which side of a centre is meant
        distance = ((x1 - column) * y0 - (x0 - column) * y1) / (y0 - y1)
        beyond += distance > 0, distance >= 0
    straddles = (y1 > 0) != (y0 > 0), (y1 < 0) != (y0 < 0)
    for view, met, count in zip(crossed, straddles, beyond, strict=True):
        column = np.clip(near + count, 0, width).astype(np.int64)
        np.add.at(view.reshape(-1), (row * (width + 1) + column)[met], 1)
