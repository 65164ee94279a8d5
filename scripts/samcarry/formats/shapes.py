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

from samcarry.data.contract import is_class_name
from samcarry.errors import InputError
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
    with open_png(png) as image:
        if image.width * image.height > MOST_PIXELS:
            raise InputError(f"has a bitmap of {image.width} x {image.height} pixels; draw it again")
        return Bitmap(png, math.floor(left), math.floor(top), image.height, image.width)


def open_png(png: bytes) -> Image.Image:
    """The image in a PNG file's bytes."""
    try:
        return Image.open(io.BytesIO(png), formats=("PNG",))
    except Exception as error:  # on damaged data Pillow raises nearly anything
        raise InputError(f"has a bitmap that is no PNG ({type(error).__name__}); draw it again") from None
