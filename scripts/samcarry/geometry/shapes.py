"""The shapes in annotation files before they are drawn: polygons, ellipses, bitmaps and run lengths.

All coordinates are in pixels from the upper left corner of the image: the pixel in column x and row y
covers x to x + 1 and y to y + 1. An outline includes a pixel if the pixel's centre is inside or on the
edge; regions that a self-crossing outline encloses twice are outside (even-odd rule).
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
from samcarry.data.user_files import composed
from samcarry.errors import InputError
from samcarry.images import MOST_PIXELS

Entry = TypeVar("Entry")
ClassMapper = Callable[[str], str | None]
"""Maps a class name in a file to the class name in the data set; None skips the shapes of that class."""


@dataclass(frozen=True)
class Polygon:
    """Corners (corner, xy), and the outlines of holes in the same form.

    `relative` coordinates are fractions of the image's width and height, in files that do not give its size.
    """

    corners: NDArray[np.float64]
    holes: tuple[NDArray[np.float64], ...] = ()
    relative: bool = False

    def in_pixels(self, height: int, width: int) -> "Polygon":
        """The same polygon on an image of this size, in pixels."""
        if not self.relative:
            return self
        return Polygon(self.corners * (width, height), tuple(hole * (width, height) for hole in self.holes))


@dataclass(frozen=True)
class Ellipse:
    """Centre (x, y), radii along its own axes, and their clockwise rotation in degrees."""

    x: float
    y: float
    radii: tuple[float, float]
    angle: float = 0


@dataclass(frozen=True)
class Bitmap:
    """A PNG, not yet decoded, whose upper left pixel is at (left, top) of the image."""

    png: bytes
    left: int
    top: int
    height: int
    width: int


@dataclass(frozen=True)
class Runs:
    """COCO's compressed run lengths of a whole image: column by column, background first."""

    counts: bytes
    height: int
    width: int


@dataclass(frozen=True)
class BoxRuns:
    """CVAT's run lengths inside a bounding box: row by row, background first."""

    runs: tuple[int, ...]
    left: int
    top: int
    height: int
    width: int


Geometry = Polygon | Ellipse | Bitmap | Runs | BoxRuns


@dataclass(frozen=True)
class LabelledShape:
    """One annotated object: its place in the file (for messages), its class, and its parts."""

    place: str
    class_name: str
    parts: tuple[Geometry, ...]


@dataclass(frozen=True)
class Annotation:
    """The annotation of one image in one file, by one annotator.

    Attributes:
        source: the annotation file.
        name: the image's name as written in the file, which may be a path.
        size: (height, width) in pixels as written in the file, None if it is not given.
        shapes: read but not yet drawn, so that a wrong size never allocates memory.
        skipped: the kind of each entry without an area or with another label, such as lines and points.
        folder: folder of the image as the place of the file tells it: a file named after its image is in a
            folder of the same name; '.' if the place says nothing.
        relative: whether `name` is relative to the folder of the file.
        spacing: (height, width) of a pixel in mm as written in the file, None if it is not given.
        annotator: which of several annotators of the image in this file, for messages; '' if the format has
            one annotation per image and file.
    """

    source: Path
    name: str
    size: tuple[int, int] | None
    shapes: tuple[LabelledShape, ...]
    skipped: tuple[str, ...] = ()
    folder: str = "."
    relative: bool = False
    spacing: tuple[float, float] | None = None
    annotator: str = ""


class SkippedShapeError(Exception):
    """An entry that is skipped but is not a fault; the message names its kind."""


def collect_shapes(
    entries: Iterable[tuple[str, Entry]],
    read: Callable[[Entry], tuple[str, Geometry] | None],
    where: str,
    faults: list[str],
) -> tuple[tuple[LabelledShape, ...], tuple[str, ...]]:
    """Read all entries of a file; return the shapes, and the kinds of the skipped entries.

    Args:
        entries: the place of each entry, such as 'shape 3', and the entry.
        read: returns class and geometry, or None if the class is not wanted. It raises SkippedShapeError,
            or InputError with a message that continues the place.
        where: precedes the place in a fault.
        faults: gets one line for each faulty entry.
    """
    shapes: list[LabelledShape] = []
    skipped: list[str] = []
    for place, entry in entries:
        try:
            if (found := read(entry)) is not None:
                shapes.append(LabelledShape(place, found[0], (found[1],)))
        except SkippedShapeError as kind:
            skipped.append(str(kind))
        except InputError as error:
            faults.append(f"{where}: {place} {error}")
    return tuple(shapes), tuple(skipped)


def class_mapper(choose: Callable[[str], str | None], cure: str = "rename the class") -> ClassMapper:
    """A ClassMapper that gives names to `choose` in Unicode's composed form, and checks what it returns.

    The mapper raises an InputError if the chosen name cannot be a file name. Its message continues the place
    of the shape and ends with `cure`.
    """

    def map_class(name: str) -> str | None:
        chosen = choose(composed(name))
        if chosen is not None and not is_class_name(chosen):
            raise InputError(f"has the class {chosen!r}, which cannot be a file name; {cure}")
        return chosen

    return map_class


same_name = class_mapper(lambda name: name)
"""The default ClassMapper: all classes keep their names."""


def make_bitmap(png: bytes, left: float, top: float) -> Bitmap:
    """A bitmap from a PNG, of which only the header is read.

    Raises:
        InputError: it is not a PNG, or has more than MOST_PIXELS pixels.
    """
    with open_png(png) as image:
        if image.width * image.height > MOST_PIXELS:
            raise InputError(f"has a bitmap of {image.width} x {image.height} pixels; draw it again")
        return Bitmap(png, math.floor(left), math.floor(top), image.height, image.width)


def open_png(png: bytes) -> Image.Image:
    """Open the bytes of a PNG file as an image.

    Raises:
        InputError: it is not a PNG.
    """
    try:
        return Image.open(io.BytesIO(png), formats=("PNG",))
    except Exception as error:  # on damaged data Pillow raises nearly anything
        raise InputError(f"has a bitmap that is not a PNG ({type(error).__name__}); draw it again") from None
