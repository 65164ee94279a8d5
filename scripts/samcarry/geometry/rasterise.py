"""Drawing shapes as masks: polygons, ellipses, run lengths and bitmaps."""

import math

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from samcarry.errors import InputError
from samcarry.geometry.shapes import Annotation, Bitmap, BoxRuns, Ellipse, Geometry, Polygon, open_png

_MAX_CROSSINGS = 250_000  # pairs of a side and a row that are computed at once
_LEAST_REFUSED = 100_000  # rows crossed: an outline with fewer takes no time, however strange it is


def fill_polygon(corners: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """The pixels (height, width) whose centres are inside a closed polygon, on a side or on a corner.

    Regions that the polygon encloses an even number of times are outside; a side that is traced twice counts
    as none. The pixels are those of skimage.draw.polygon, whose time grows with corners times pixels: for
    2,000 corners in 3000 x 3000 pixels it took 28 s where this took 0.08 s. The time grows with the number of
    rows that the sides cross. An outline of pixels crosses each pixel twice at most, so one that crosses more
    is refused; a file of a few MB could otherwise take hours.

    Args:
        corners: (corner, xy) in pixels from the upper left corner of the image; centres are at halves.
        height: rows.
        width: columns.

    Raises:
        InputError: the sides cross more rows than the outline of any region does.
    """
    ends = corners - 0.5  # now pixel centres are at whole numbers
    starts = np.roll(ends, 1, axis=0)
    low, high = np.minimum(starts, ends)[:, 1], np.maximum(starts, ends)[:, 1]
    first_row = np.clip(np.ceil(low), 0, height).astype(np.int64)
    rows_met = np.maximum(np.clip(np.floor(high) + 1, 0, height).astype(np.int64) - first_row, 0)
    pairs_before = np.cumsum(rows_met) - rows_met
    # The number of sides crossed up to a pixel, modulo 256. A centre on a side counts as beyond it in one
    # layer and as before it in the other.
    crossed = np.zeros((2, height, width + 1), np.uint8)
    total = int(rows_met.sum())
    if total > _LEAST_REFUSED + 2 * height * width:
        raise InputError(
            f"has {len(corners)} corners whose sides cross {total} rows, more than the outline of any object "
            f"in {width} x {height} pixels; draw it again"
        )
    for begin in range(0, total, _MAX_CROSSINGS):
        pair = np.arange(begin, min(begin + _MAX_CROSSINGS, total))
        side = np.searchsorted(pairs_before, pair, side="right") - 1
        _count_crossings(starts[side], ends[side], first_row[side] + pair - pairs_before[side], crossed)
    # A centre on a side is odd in one of the layers.
    inside: NDArray[np.bool_] = (np.cumsum(crossed, axis=2, dtype=np.uint8) % 2 == 1).any(axis=0)[:, :width]
    on_centre = (ends == np.rint(ends)).all(axis=1) & ((ends >= 0) & (ends < (width, height))).all(axis=1)
    columns, rows = ends[on_centre].astype(np.int64).T
    inside[rows, columns] = True
    return inside


def _count_crossings(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    rows: NDArray[np.int64],
    crossed: NDArray[np.uint8],
) -> None:
    """Count the crossing of each side (side, xy) with its row, at the first pixel beyond the crossing."""
    sloping = starts[:, 1] != ends[:, 1]
    (x0, y0), (x1, y1), row = starts[sloping].T, ends[sloping].T, rows[sloping]
    y0, y1 = y0 - row, y1 - row
    width = crossed.shape[2] - 1
    near = np.floor(np.clip((x1 * y0 - x0 * y1) / (y0 - y1), -2, width + 1))
    beyond = np.zeros((2, len(near)))
    for column in (near, near + 1):  # tested exactly, since the rounded crossing may be on the wrong side
        distance = ((x1 - column) * y0 - (x0 - column) * y1) / (y0 - y1)
        beyond += distance > 0, distance >= 0
    straddles = (y1 > 0) != (y0 > 0), (y1 < 0) != (y0 < 0)
    for layer, met, count in zip(crossed, straddles, beyond, strict=True):
        column = np.clip(near + count, 0, width).astype(np.int64)
        np.add.at(layer.reshape(-1), (row * (width + 1) + column)[met], 1)


def draw_masks(
    annotation: Annotation,
    height: int,
    width: int,
    faults: list[str],
    without_pixel: list[str] | None = None,
) -> dict[str, NDArray[np.bool_]]:
    """{class: mask (height, width)} of an image, sorted by name; shapes of one class are united.

    Parts outside the image are cut off. A shape that is entirely outside, or whose run lengths or bitmap are
    for another image size, is a fault.

    Args:
        annotation: the annotation of the image.
        height: rows.
        width: columns.
        faults: gets one line for each shape that cannot be drawn.
        without_pixel: gets the class of each outline that covers the centre of no pixel. A mask without a
            pixel is not among them, because it says that the class is absent.
    """
    masks: dict[str, NDArray[np.bool_]] = {}
    for shape in sorted(annotation.shapes, key=lambda shape: shape.class_name):
        mask = masks.setdefault(shape.class_name, np.zeros((height, width), dtype=bool))
        try:
            # Some parts of a shape may be outside, but not all of them.
            inside = [_draw_part(part, mask) for part in shape.parts]
            if all(drawn is None for drawn in inside):
                raise InputError(f"is entirely outside the image of {width} x {height}; move or remove it")
            is_outline = any(isinstance(part, Polygon | Ellipse) for part in shape.parts)
            if without_pixel is not None and is_outline and not any(inside):
                without_pixel.append(shape.class_name)
        except InputError as error:
            faults.append(f"{annotation.source}: image {annotation.name!r}: {shape.place} {error}")
    return masks


def _draw_part(part: Geometry, mask: NDArray[np.bool_]) -> bool | None:
    """Add a part to a mask; whether it has a pixel, and None if it is entirely outside."""
    height, width = mask.shape
    if isinstance(part, Polygon):
        part = part.in_pixels(height, width)
    low, high = _bounds(part)
    if (high <= 0).any() or (low >= (width, height)).any():
        return None
    left, top = np.clip(np.floor(low), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(high), 0, (width, height)).astype(int)
    window = mask[top:bottom, left:right]
    if isinstance(part, Polygon):
        pixels = fill_polygon(part.corners - (left, top), *window.shape)
        for hole in part.holes:
            pixels &= ~fill_polygon(hole - (left, top), *window.shape)
    elif isinstance(part, Ellipse):
        pixels = _ellipse_pixels(part, top, left, window.shape)
    elif isinstance(part, Bitmap | BoxRuns):
        of_box = _bitmap_pixels(part, height, width) if isinstance(part, Bitmap) else _run_pixels(part)
        pixels = of_box[top - part.top : bottom - part.top, left - part.left : right - part.left]
    else:
        if (part.height, part.width) != (height, width):
            raise InputError(
                f"has run lengths for {part.width} x {part.height} in an image of {width} x {height}; "
                "export it again"
            )
        pixels = coco_mask.decode({"size": [height, width], "counts": part.counts}).astype(bool)
    window |= pixels
    return bool(pixels.any())


def _bounds(part: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The upper left and lower right corner (x, y) of a part's bounding box."""
    if isinstance(part, Polygon):
        return part.corners.min(axis=0), part.corners.max(axis=0)
    if isinstance(part, Ellipse):
        cosine, sine = _cosine_and_sine(part)
        reach = np.hypot(*(np.array([[cosine, sine], [sine, cosine]]) * part.radii).T)
        centre = np.array([part.x, part.y])
        return centre - reach, centre + reach
    if isinstance(part, Bitmap | BoxRuns):
        low = np.array([part.left, part.top], dtype=np.float64)
        return low, low + np.array([part.width, part.height])
    return np.zeros(2), np.array([part.width, part.height], dtype=np.float64)


def _cosine_and_sine(ellipse: Ellipse) -> tuple[float, float]:
    """Cosine and sine of the ellipse's rotation."""
    return math.cos(math.radians(ellipse.angle)), math.sin(math.radians(ellipse.angle))


def _ellipse_pixels(ellipse: Ellipse, top: int, left: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels of a window whose centres are inside the ellipse or on it."""
    rows, columns = np.ogrid[top : top + shape[0], left : left + shape[1]]
    x, y = columns + 0.5 - ellipse.x, rows + 0.5 - ellipse.y
    cosine, sine = _cosine_and_sine(ellipse)
    first, second = x * cosine + y * sine, y * cosine - x * sine
    inside: NDArray[np.bool_] = np.hypot(first * ellipse.radii[1], second * ellipse.radii[0]) <= math.prod(
        ellipse.radii
    )
    return inside


def _run_pixels(part: BoxRuns) -> NDArray[np.bool_]:
    """Run lengths that fill their box, as (height, width) of the box."""
    return np.repeat(np.arange(len(part.runs)) % 2 == 1, part.runs).reshape(part.height, part.width)


def _bitmap_pixels(part: Bitmap, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels that are not transparent or, in a PNG without transparency, not black."""
    if part.height > height or part.width > width:
        raise InputError(
            f"has a bitmap of {part.width} x {part.height}, larger than its image; draw it again"
        )
    with open_png(part.png) as image:
        try:
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                return np.asarray(image.convert("RGBA"))[..., 3] != 0
            pixels = np.asarray(image.convert("RGB") if image.mode == "P" else image) != 0
        except Exception as error:
            raise InputError(f"has a damaged bitmap ({type(error).__name__}); draw it again") from None
    return pixels.any(axis=-1) if pixels.ndim == 3 else pixels
