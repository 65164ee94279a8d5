"""Find and fill lines of text in the pixels of radiographs, near the borders: names, dates, numbers.

No characters are recognised. A line of text is a row of small shapes of high contrast that have one height,
stand on one base line and follow each other closely. A single marker, such as L or R, is not a line.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from samcarry.images.grey import read_grey

Box = tuple[int, int, int, int]
"""Top, bottom, left and right of a line in pixels; bottom and right are exclusive."""

FEWEST = 4
"""A clear line has at least so many characters."""

_SIDE = 1000  # pixels of the shorter side, to which larger images are reduced
_LEAST_HEIGHT = 6  # of a character, in pixels of the reduced image
_MOST_HEIGHT = 1 / 14  # of the shorter side
_WIDEST = 1.6  # times the height of a character
_CONTRAST = 70  # grey values; small structures of bone seldom reach it
_MOST_PARTS = 4000  # of the highest contrast: noise must not take long
_ZONE = 0.25  # share of the height and the width at each border
# Times the height of a character:
_BASE = 0.12
_GAP, _WORD_GAP, _OVERLAP = 1.1, 2.0, 0.15
_PADDING = 0.35

_TOP, _BOTTOM, _LEFT, _RIGHT, _PEAK = range(5)  # columns of the parts


def find_text(image: NDArray[np.uint8]) -> list[Box]:
    """The lines of text near the borders of an image (height, width), horizontal and vertical, from the top.

    A box also contains what stands in its line and does not look like a character, such as touching letters,
    and a margin. Shorter and less regular lines count only beside a line that is clear.
    """
    factor = max(1, round(min(image.shape) / _SIDE))
    small = np.asarray(Image.fromarray(np.ascontiguousarray(image)).reduce(factor))
    found: list[Box] = []
    for shown in (small, 255 - small):  # bright text, dark text
        parts = _parts(shown)
        found += _lines(parts, small.shape)
        turned = _lines(parts[:, [_LEFT, _RIGHT, _TOP, _BOTTOM, _PEAK]], small.shape[::-1])
        found += [(top, bottom, left, right) for left, right, top, bottom in turned]
    height, width = image.shape
    return sorted(
        (
            max(0, factor * top),
            min(height, factor * bottom),
            max(0, factor * left),
            min(width, factor * right),
        )
        for top, bottom, left, right in _joined(found)
    )


def fill_text(values: NDArray[Any], boxes: Iterable[Box]) -> NDArray[Any]:
    """Grey values (height, width) with boxes filled by the median of the pixels around each of them."""
    boxes = list(boxes)
    covered = np.zeros(values.shape, dtype=bool)
    for top, bottom, left, right in boxes:
        covered[top:bottom, left:right] = True
    filled = values.copy()
    for top, bottom, left, right in boxes:
        frame = (slice(max(0, top - 3), bottom + 3), slice(max(0, left - 3), right + 3))
        around = values[frame][~covered[frame]]
        filled[top:bottom, left:right] = np.median(around) if around.size else np.median(values)
    return filled


def mask_text(image: NDArray[np.uint8], text_masked: bool) -> tuple[NDArray[np.uint8], list[Box]]:
    """The image (height, width), with its lines of text filled if `text_masked`, and the filled boxes."""
    boxes = find_text(image) if text_masked else []
    return (fill_text(image, boxes) if boxes else image), boxes


def read_shown(
    path: str | Path, window: tuple[float, float] | None, text_masked: bool
) -> tuple[NDArray[np.uint8], list[Box]]:
    """An image file as networks and people are to see it, with lines of text filled if the config says so.

    Args:
        path: as for `grey.read_grey`.
        window: as for `grey.read_grey`.
        text_masked: whether to fill lines of text.

    Returns:
        Grey values (height, width), and the boxes that were filled.

    Raises:
        InputError: the file cannot be read, see `grey.read_grey`.
    """
    return mask_text(read_grey(path, window), text_masked)


def text_note(boxes: Sequence[Box]) -> str:
    """The sentence that explains filled boxes to those who see the image; '' if there are none."""
    if not boxes:
        return ""
    lines = "1 line" if len(boxes) == 1 else f"{len(boxes)} lines"
    return f"Filled with grey: {lines} of text near the borders of this image (config key images.mask_text)."


def _parts(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Small bright shapes (shape, column): top, bottom, left, right, and contrast with their surroundings."""
    most = max(4 * _LEAST_HEIGHT, int(min(image.shape) * _MOST_HEIGHT))
    strokes = image.astype(np.int16) - ndimage.grey_opening(image, size=(most // 2, most // 2))
    # Half of the highest contrast nearby parts letters that touch in blurred text.
    high = (strokes >= _CONTRAST / 2) & (2 * strokes >= ndimage.maximum_filter(strokes, size=most // 2))
    shapes, count = ndimage.label(high, np.ones((3, 3)))
    if not count:
        return np.zeros((0, 5))
    places = [(*_ends(rows), *_ends(columns)) for rows, columns in ndimage.find_objects(shapes)]
    parts = np.column_stack([places, ndimage.maximum(strokes, shapes, np.arange(1, count + 1))])
    size = parts[:, [_BOTTOM, _RIGHT]] - parts[:, [_TOP, _LEFT]]
    parts = parts[(parts[:, _PEAK] >= _CONTRAST) & (size.min(axis=1) <= most)]
    return parts[np.argsort(-parts[:, _PEAK], kind="stable")[:_MOST_PARTS]].astype(float)


def _ends(extent: slice) -> tuple[int, int]:
    return extent.start, extent.stop


def _lines(parts: NDArray[np.float64], shape: tuple[int, ...]) -> list[Box]:
    """The boxes of horizontal lines of text near the borders of an image of this shape."""
    height = parts[:, _BOTTOM] - parts[:, _TOP]
    width = parts[:, _RIGHT] - parts[:, _LEFT]
    most = max(4 * _LEAST_HEIGHT, min(shape) * _MOST_HEIGHT)
    characters = parts[(height >= _LEAST_HEIGHT) & (height <= most) & (width <= _WIDEST * height)]
    rows = [row for row in _rows(characters) if _near_border(row, shape)]
    clear = [row for row in rows if len(row) >= FEWEST and _is_even(row)]
    return [_box(row, parts) for row in rows if any(row is one or _beside(row, one) for one in clear)]


def _rows(characters: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Two or more shapes that stand on one base line, each."""
    if len(characters) < 2:
        return []
    top, bottom, left, right, peak = characters.T
    height = bottom - top
    larger, smaller = np.maximum(height[:, None], height), np.minimum(height[:, None], height)
    gap = left - right[:, None]
    follows = (
        (np.abs(bottom - bottom[:, None]) <= np.maximum(1, _BASE * larger))
        & (smaller >= 0.65 * larger)  # small letters beside capital ones
        & (left > left[:, None])
        & (gap >= -_OVERLAP * larger)
        & (gap <= _GAP * larger)
        & (np.minimum(peak[:, None], peak) >= 0.6 * np.maximum(peak[:, None], peak))
    )
    row_of = connected_components(coo_array(follows), directed=False)[1]
    return [characters[row_of == index] for index in np.flatnonzero(np.bincount(row_of) > 1)]


def _is_even(row: NDArray[np.float64]) -> bool:
    """Whether at least half of the shapes, and three of them, have one top and one bottom."""
    top, bottom = row[:, _TOP], row[:, _BOTTOM]
    height = np.median(bottom - top)
    near = max(1, _BASE * height)
    alike = (np.abs(top - top[:, None]) <= near) & (np.abs(bottom - bottom[:, None]) <= near)
    wide = row[:, _RIGHT].max() - row[:, _LEFT].min() >= len(row) / 2 * height
    return bool(wide and alike.sum(axis=1).max() >= max(3, len(row) / 2))


def _near_border(row: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    y = (row[:, _TOP].min() + row[:, _BOTTOM].max()) / 2 / shape[0]
    x = (row[:, _LEFT].min() + row[:, _RIGHT].max()) / 2 / shape[1]
    return bool(min(y, 1 - y, x, 1 - x) <= _ZONE)


def _beside(row: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether a row has about the height of another one and is beside, above or below it."""
    heights = [np.median(one[:, _BOTTOM] - one[:, _TOP]) for one in (row, other)]
    gaps = [
        max(row[:, low].min(), other[:, low].min()) - min(row[:, high].max(), other[:, high].max())
        for low, high in ((_TOP, _BOTTOM), (_LEFT, _RIGHT))
    ]
    return bool(max(gaps) <= 2 * max(heights) and min(heights) >= 0.6 * max(heights))


def _box(row: NDArray[np.float64], parts: NDArray[np.float64]) -> Box:
    """The box of a row with all parts that stand in its line, and a margin."""
    height = np.median(row[:, _BOTTOM] - row[:, _TOP])
    top, bottom, left, right = _around(row)
    middle = (parts[:, _TOP] + parts[:, _BOTTOM]) / 2
    inside = parts[
        (middle >= top) & (middle <= bottom) & (parts[:, _BOTTOM] - parts[:, _TOP] <= 1.6 * height)
    ]
    while True:
        reach = _WORD_GAP * height
        near = inside[(inside[:, _LEFT] <= right + reach) & (inside[:, _RIGHT] >= left - reach)]
        ends = _around(np.vstack([row, near]))
        if ends == (top, bottom, left, right):
            break
        top, bottom, left, right = ends
    margin = max(2, _PADDING * height)
    return int(top - margin), int(bottom + margin) + 1, int(left - margin), int(right + margin) + 1


def _joined(boxes: Iterable[Box]) -> list[Box]:
    """Boxes, with one for those that mostly overlap: gaps between bright letters look like dark letters."""
    joined: list[Box] = []
    for box in boxes:
        while same := next((other for other in joined if _overlap(box, other)), None):
            joined.remove(same)
            pairs = zip(box, same, (min, max, min, max), strict=True)
            top, bottom, left, right = (end(one, other) for one, other, end in pairs)
            box = (top, bottom, left, right)
        joined.append(box)
    return joined


def _overlap(box: Box, other: Box) -> bool:
    """Whether boxes share more than half of the smaller one."""
    areas = [(bottom - top) * (right - left) for top, bottom, left, right in (box, other)]
    height = min(box[1], other[1]) - max(box[0], other[0])
    width = min(box[3], other[3]) - max(box[2], other[2])
    return max(0, height) * max(0, width) > min(areas) / 2


def _around(row: NDArray[np.float64]) -> tuple[float, float, float, float]:
    return row[:, _TOP].min(), row[:, _BOTTOM].max(), row[:, _LEFT].min(), row[:, _RIGHT].max()
