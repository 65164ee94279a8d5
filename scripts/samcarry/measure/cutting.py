"""The part of a probability map in which the contours of a mask can be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from samcarry.images.masks import bounding_window

_LONGEST = 256  # pixels of the longer side at which other contours are measured
_MARGIN = 2  # pixels around what is cut out

Box = tuple[float, float, float, float]
"""left, top, right, bottom, in pixels."""


@dataclass(frozen=True)
class Cut:
    """What was cut out of a probability map.

    Attributes:
        top, bottom, left, right: its place, as shares of the image.
        values: probabilities 0..1, resampled.
        mask: the mask there, of the same shape.
    """

    top: float
    bottom: float
    left: float
    right: float
    values: NDArray[np.float64]
    mask: NDArray[np.bool_]


def cut_out(probability: NDArray[np.uint8], mask: NDArray[np.bool_], least: float) -> Cut:
    """Cut out everything that is connected to a mask by probabilities above a least one.

    Args:
        probability: at network size, 0..255 for 0..1.
        mask: the mask at the size of the image (height, width), not empty.
        least: the least probability, 0..1.
    """
    small = probability.shape
    height, width = mask.shape
    drawn, place = _trimmed(mask)
    low = _covered(drawn, place, mask.shape, small, (0, 0, width, height))
    left, top, right, bottom = _reach((probability > 255 * least) | low, low)
    native = (bottom - top) * height / small[0], (right - left) * width / small[1]
    shrunk = min(1.0, _LONGEST / max(native))
    target = max(1, round(native[0] * shrunk)), max(1, round(native[1] * shrunk))
    values = resampled(probability / 255, target, Image.Resampling.BILINEAR, (left, top, right, bottom))
    high, wide = height / small[0], width / small[1]
    inside = _covered(
        drawn, place, mask.shape, target, (left * wide, top * high, right * wide, bottom * high)
    )
    return Cut(
        top / small[0],
        bottom / small[0],
        left / small[1],
        right / small[1],
        values.astype(np.float64),
        inside,
    )


def touching(mask: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected components of a mask that meet another one, of the same shape."""
    labels, count = ndimage.label(mask)
    meets = np.zeros(count + 1, dtype=bool)
    meets[labels[kept & mask]] = True
    return meets[labels]


def resampled(
    values: NDArray[np.floating], size: tuple[int, ...], how: Image.Resampling, box: Box | None = None
) -> NDArray[np.float32]:
    """Values (height, width), or what is in `box` of them, at another size."""
    picture = Image.fromarray(values.astype(np.float32, copy=False))
    return np.asarray(picture.resize((size[1], size[0]), how, box and _inside(box, values.shape)))


def _inside(box: Box, shape: tuple[int, ...]) -> Box:
    """A box that rounding may have moved beyond the edge, which Pillow refuses."""
    return box[0], box[1], min(box[2], shape[1]), min(box[3], shape[0])


def _trimmed(mask: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The bounding box of a mask, and its first row and column."""
    rows, columns = bounding_window(mask)
    return mask[rows, columns], (rows.start, columns.start)


def _reach(possible: NDArray[np.bool_], low: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """left, top, right and bottom of the components that meet `low`, with a margin."""
    rows, columns = bounding_window(possible)
    kept = bounding_window(touching(possible[rows, columns], low[rows, columns]))
    box = []
    for offset, found, size in (
        (columns.start, kept[1], low.shape[1]),
        (rows.start, kept[0], low.shape[0]),
    ):
        box += [(max(0, offset + found.start - _MARGIN), min(size, offset + found.stop + _MARGIN))]
    (left, right), (top, bottom) = box
    return left, top, right, bottom


def _covered(
    part: NDArray[np.bool_],
    place: tuple[int, int],
    shape: tuple[int, ...],
    size: tuple[int, ...],
    box: Box,
) -> NDArray[np.bool_]:
    """Whether pixels of a mask are in each cell of a grid, as `resampled(mask, size, BOX, box) > 0`.

    The mask may be much larger than its part that is not empty, which is all that is looked at.

    Args:
        part: this part.
        place: its first row and column.
        shape: height and width of the mask.
        size: height and width of the grid.
        box: the grid's place in the mask.
    """
    left, top, right, bottom = _inside(box, shape)
    for axis, (from_, to) in enumerate(((top, bottom), (left, right))):
        begins, ends = (
            np.clip(edge - place[axis], 0, len(part)) for edge in _windows(from_, to, shape[axis], size[axis])
        )
        filled = ends > begins
        covered = np.zeros((len(begins), part.shape[1]), dtype=bool)
        for offset in range(int((ends - begins).max())):  # as many as a cell has rows, which are few
            covered |= part.take(np.minimum(begins + offset, np.maximum(ends - 1, 0)), axis=0)
        # Rows are faster than columns; so columns follow after a transposition.
        part = np.ascontiguousarray((covered & filled[:, None]).T)
    return part


def _windows(from_: float, to: float, length: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first pixel of each of `count` equal cells from `from_` to `to`, and the one after its last.

    A pixel is in a cell if its centre is, as in Pillow's filter BOX, which has edges in single precision.
    """
    first = np.float32(from_)
    step = float(np.float32(to) - first) / count
    wide = max(step, 1.0)
    centres = float(first) + (np.arange(count) + 0.5) * step
    begins = np.maximum((centres - wide / 2 + 0.5).astype(np.intp), 0)
    ends = np.minimum((centres + wide / 2 + 0.5).astype(np.intp), length)
    share = 1 / wide
    begins += (begins - centres + 0.5) * share <= -0.5
    ends -= (ends - 1 - centres + 0.5) * share > 0.5
    return begins, np.maximum(ends, begins)
