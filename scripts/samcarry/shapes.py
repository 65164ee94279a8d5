"""Shapes that annotation files hold (polygons, ellipses, bitmaps, runs), and how they are drawn.

All coordinates are in pixels from the image's upper left corner, so that the pixel in column x and
row y covers x to x + 1 and y to y + 1. An outline takes a pixel if the pixel's centre lies inside or on
its edge; where it crosses itself, what it winds round twice is outside (even-odd).
"""

import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from samcarry.contract import is_class_name
from samcarry.errors import InputError
from samcarry.filling import fill_polygon
from samcarry.images import MOST_PIXELS

Entry = TypeVar("Entry")
Choose = Callable[[str], str | None]
"""Tells what a class of the file is called here, None if its shapes are not asked for."""


@dataclass(frozen=True)
class Polygon:
    """Corners (corner, xy), and the outlines of holes, likewise."""

    corners: NDArray[np.float64]
    holes: tuple[NDArray[np.float64], ...] = ()


@dataclass(frozen=True)
class Ellipse:
    """Centre (x, y), radii along its own axes, and how far these are turned clockwise, in degrees."""

    x: float
    y: float
    radii: tuple[float, float]
    angle: float = 0


@dataclass(frozen=True)
class Bitmap:
    """A PNG, not yet decoded, whose upper left pixel is (left, top) of the image."""

    png: bytes
    left: int
    top: int
    height: int
    width: int


@dataclass(frozen=True)
class Runs:
    """COCO's run lengths of a whole image, compressed: column by column, background first."""

    counts: bytes
    height: int
    width: int


@dataclass(frozen=True)
class BoxRuns:
    """CVAT's run lengths inside a box of their own: row by row, background first."""

    runs: tuple[int, ...]
    left: int
    top: int
    height: int
    width: int


Geometry = Polygon | Ellipse | Bitmap | Runs | BoxRuns


@dataclass(frozen=True)
class Shape:
    """One annotated object: where it stands in the file, its class, and the parts it is made of."""

    place: str
    class_name: str
    parts: tuple[Geometry, ...]


@dataclass(frozen=True)
class Annotation:
    """What one file says of one image.

    Attributes:
        source: the annotation file.
        name: the image's name as it stands there, which may hold a path.
        size: (height, width) in pixels as it stands there, None if it does not.
        shapes: read but not yet drawn, so that nothing of a false size is ever made.
        passed_over: what stands there and is no shape that can be taken, a line or points for instance;
            an entry each.
    """

    source: Path
    name: str
    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]
    passed_over: tuple[str, ...] = ()


class PassedOverError(Exception):
    """What an entry of an annotation file is that is not asked for, and no fault."""


def collect_shapes(
    entries: Iterable[tuple[str, Entry]],
    read: Callable[[Entry], tuple[str, Geometry] | None],
    where: str,
    faults: list[str],
) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    """The shapes that stand in a file, and what was passed over.

    Args:
        entries: the place of each, as 'shape 3', and the entry itself.
        read: gives class and geometry, or None if the class is not asked for; raises PassedOverError, or
            InputError with what goes behind the place.
        where: what goes before the place in a fault.
        faults: gets a line for each entry that is at fault.
    """
    shapes: list[Shape] = []
    passed_over: list[str] = []
    for place, entry in entries:
        try:
            if (found := read(entry)) is not None:
                shapes.append(Shape(place, found[0], (found[1],)))
        except PassedOverError as kind:
            passed_over.append(str(kind))
        except InputError as error:
            faults.append(f"{where}: {place} {error}")
    return tuple(shapes), tuple(passed_over)


def as_it_is(name: str) -> str:
    """Keep the name of a class.

    Raises:
        InputError: if no file can be called so.
    """
    if not is_class_name(name):
        raise InputError(f"is of class {name!r}, no name for a file; rename the class")
    return name


def bitmap_of(png: bytes, left: float, top: float) -> Bitmap:
    """A bitmap, of which no more than the header is read.

    Raises:
        InputError: if it is no PNG or has more pixels than any image may.
    """
    with _open_png(png) as image:
        if image.width * image.height > MOST_PIXELS:
            raise InputError(f"has a bitmap of {image.width} x {image.height} pixels; draw it again")
        return Bitmap(png, math.floor(left), math.floor(top), image.height, image.width)


def draw(annotation: Annotation, height: int, width: int, faults: list[str]) -> dict[str, NDArray[np.bool_]]:
    """The masks (height, width) of an image's classes, sorted; shapes of one class are united.

    What reaches outside the image is cut off. A shape that lies wholly outside, or whose run lengths
    or bitmap are for another image, is a fault.
    """
    masks: dict[str, NDArray[np.bool_]] = {}
    for shape in sorted(annotation.shapes, key=lambda shape: shape.class_name):
        mask = masks.setdefault(shape.class_name, np.zeros((height, width), dtype=bool))
        try:
            # Of an object in several pieces one may lie outside; all of them may not.
            inside = [_add(part, mask) for part in shape.parts]
            if not any(inside):
                raise InputError(f"lies wholly outside the image of {width} x {height}; move or remove it")
        except InputError as error:
            faults.append(f"{annotation.source}: image {annotation.name!r}: {shape.place} {error}")
    return masks


def _add(part: Geometry, mask: NDArray[np.bool_]) -> bool:
    """Add a part to a mask; False if it lies wholly outside."""
    height, width = mask.shape
    low, high = _extent(part)
    if (high <= 0).any() or (low >= (width, height)).any():
        return False
    left, top = np.clip(np.floor(low), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(high), 0, (width, height)).astype(int)
    window = mask[top:bottom, left:right]
    if isinstance(part, Polygon):
        filled = fill_polygon(part.corners - (left, top), *window.shape)
        for hole in part.holes:
            filled &= ~fill_polygon(hole - (left, top), *window.shape)
        window |= filled
    elif isinstance(part, Ellipse):
        window |= _inside_ellipse(part, top, left, window.shape)
    elif isinstance(part, Bitmap | BoxRuns):
        pixels = _bitmap_pixels(part, height, width) if isinstance(part, Bitmap) else _run_pixels(part)
        window |= pixels[top - part.top : bottom - part.top, left - part.left : right - part.left]
    else:
        if (part.height, part.width) != (height, width):
            raise InputError(
                f"has run lengths for {part.width} x {part.height} in an image of {width} x {height}; "
                "export it again"
            )
        window |= coco_mask.decode({"size": [height, width], "counts": part.counts}).astype(bool)
    return True


def _extent(part: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The corners (x, y) of a part's bounding box."""
    if isinstance(part, Polygon):
        return part.corners.min(axis=0), part.corners.max(axis=0)
    if isinstance(part, Ellipse):
        cosine, sine = _direction(part)
        reach = np.hypot(*(np.array([[cosine, sine], [sine, cosine]]) * part.radii).T)
        centre = np.array([part.x, part.y])
        return centre - reach, centre + reach
    if isinstance(part, Bitmap | BoxRuns):
        low = np.array([part.left, part.top], dtype=np.float64)
        return low, low + np.array([part.width, part.height])
    return np.zeros(2), np.array([part.width, part.height], dtype=np.float64)


def _direction(ellipse: Ellipse) -> tuple[float, float]:
    """Cosine and sine of its angle."""
    return math.cos(math.radians(ellipse.angle)), math.sin(math.radians(ellipse.angle))


def _inside_ellipse(ellipse: Ellipse, top: int, left: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which centres of a window's pixels lie in the ellipse or on it."""
    rows, columns = np.ogrid[top : top + shape[0], left : left + shape[1]]
    x, y = columns + 0.5 - ellipse.x, rows + 0.5 - ellipse.y
    cosine, sine = _direction(ellipse)
    first, second = x * cosine + y * sine, y * cosine - x * sine
    inside: NDArray[np.bool_] = np.hypot(first * ellipse.radii[1], second * ellipse.radii[0]) <= math.prod(
        ellipse.radii
    )
    return inside


def _run_pixels(part: BoxRuns) -> NDArray[np.bool_]:
    """Run lengths, which add up to their box, as (height, width) of the box."""
    return np.repeat(np.arange(len(part.runs)) % 2 == 1, part.runs).reshape(part.height, part.width)


def _open_png(png: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(png), formats=("PNG",))
    except Exception as error:  # on damaged data Pillow raises nearly anything
        raise InputError(f"has a bitmap that is no PNG ({type(error).__name__}); draw it again") from None


def _bitmap_pixels(part: Bitmap, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels that are not transparent, or, in a PNG without transparency, not black."""
    if part.height > height or part.width > width:
        raise InputError(
            f"has a bitmap of {part.width} x {part.height}, larger than its image; draw it again"
        )
    with _open_png(part.png) as image:
        try:
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                return np.asarray(image.convert("RGBA"))[..., 3] != 0
            pixels = np.asarray(image.convert("RGB") if image.mode == "P" else image) != 0
        except Exception as error:
            raise InputError(f"has a damaged bitmap ({type(error).__name__}); draw it again") from None
    return pixels.any(axis=-1) if pixels.ndim == 3 else pixels
