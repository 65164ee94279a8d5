"""Shapes that annotation files hold (polygons, discs, bitmaps, runs), read with care and drawn.

All coordinates are in pixels from the image's upper left corner, so that the pixel in column x and
row y covers x to x + 1 and y to y + 1. As in `cvat`, an outline takes a pixel if the pixel's centre
lies inside or on its edge; where it crosses itself, what it winds round twice is outside (even-odd).
"""

import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from skimage.draw import polygon2mask

from samcarry.contract import is_class_name
from samcarry.errors import InputError
from samcarry.images import MOST_PIXELS

_FARTHEST = 1e9  # pixels
_T = TypeVar("_T")

Choose = Callable[[str], str | None]
"""Tells what a class of the file is called here, None if its shapes are not asked for."""


@dataclass(frozen=True)
class Polygon:
    """Corners (corner, xy), and the outlines of holes, likewise."""

    corners: NDArray[np.float64]
    holes: tuple[NDArray[np.float64], ...] = ()


@dataclass(frozen=True)
class Disc:
    """Centre (x, y) and radius."""

    x: float
    y: float
    radius: float


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


Geometry = Polygon | Disc | Bitmap | Runs


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
    """

    source: Path
    name: str
    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]


def as_it_is(name: str) -> str:
    """Keep the name of a class.

    Raises:
        InputError: if no file can be called so.
    """
    if not is_class_name(name):
        raise InputError(f"is of class {name!r}, no name for a file; rename the class")
    return name


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        InputError: if the file is missing, empty, truncated, no UTF-8, nested too deep or no object.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not content.strip():
        raise InputError(f"{path}: the file is empty; export it again")
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no UTF-8 text ({error.reason}); save it as UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deep, as no export is; export it again") from None
    except ValueError as error:
        raise InputError(f"{path}: is no JSON, damaged or truncated ({error}); export it again") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: holds no JSON object; export it again")
    return document


def member(entry: Any, key: str, kind: type[_T]) -> _T:
    """entry[key] where that is of `kind`.

    Raises:
        InputError: if it is not (a truth value is no number), to be put behind the place.
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        names = {list: "list", dict: "object", str: "text", int: "whole number"}
        raise InputError(f"has no {names.get(kind, 'value')} {key!r}; export it again")
    return value


def declared_size(height: Any, width: Any) -> tuple[int, int] | None:
    """(height, width) as declared; None if neither is.

    Raises:
        InputError: if that is no size of an image.
    """
    if height is None and width is None:
        return None
    sides = (height, width)
    if any(type(side) is not int or side < 1 for side in sides) or height * width > MOST_PIXELS:
        raise InputError(
            f"width {width!r:.20} and height {height!r:.20} are no size of an image; export it again"
        )
    return height, width


def points_of(value: Any, fewest: int) -> NDArray[np.float64]:
    """A list of [x, y] as (point, xy).

    Raises:
        InputError: if it is none, has fewer than `fewest`, or a coordinate is no finite number.
    """
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise InputError("has no list of points [x, y]; draw it again")
    if len(value) < fewest:
        raise InputError(f"has {len(value)} points; draw it with {fewest} or more")
    if any(type(number) not in (int, float) for pair in value for number in pair):
        raise InputError("has a coordinate that is no number; draw it again")
    if not all(abs(number) < _FARTHEST for pair in value for number in pair):  # nor is NaN
        raise InputError("has a coordinate that is no number near the image; draw it again")
    return np.array(value, dtype=np.float64)


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
        filled = _fill(part.corners - (left, top), window.shape)
        for hole in part.holes:
            filled &= ~_fill(hole - (left, top), window.shape)
        window |= filled
    elif isinstance(part, Disc):
        rows, columns = np.ogrid[top:bottom, left:right]
        window |= np.hypot(columns + 0.5 - part.x, rows + 0.5 - part.y) <= part.radius
    elif isinstance(part, Bitmap):
        if part.height > height or part.width > width:
            raise InputError(
                f"has a bitmap of {part.width} x {part.height}, larger than its image; draw it again"
            )
        pixels = _pixels(part.png)
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
    if isinstance(part, Disc):
        centre = np.array([part.x, part.y])
        return centre - part.radius, centre + part.radius
    if isinstance(part, Bitmap):
        low = np.array([part.left, part.top], dtype=np.float64)
        return low, low + np.array([part.width, part.height])
    return np.zeros(2), np.array([part.width, part.height], dtype=np.float64)


def _fill(corners: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    # skimage asks for rows and columns, and puts pixel centres at whole numbers.
    filled: NDArray[np.bool_] = polygon2mask(shape, corners[:, ::-1] - 0.5)
    return filled


def _open_png(png: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(png), formats=("PNG",))
    except Exception as error:  # on damaged data Pillow raises nearly anything
        raise InputError(f"has a bitmap that is no PNG ({type(error).__name__}); draw it again") from None


def _pixels(png: bytes) -> NDArray[np.bool_]:
    """The pixels that are not transparent, or, in a PNG without transparency, not black."""
    with _open_png(png) as image:
        try:
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                return np.asarray(image.convert("RGBA"))[..., 3] != 0
            pixels = np.asarray(image.convert("RGB") if image.mode == "P" else image) != 0
        except Exception as error:
            raise InputError(f"has a damaged bitmap ({type(error).__name__}); draw it again") from None
    return pixels.any(axis=-1) if pixels.ndim == 3 else pixels
