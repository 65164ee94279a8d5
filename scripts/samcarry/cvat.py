"""Reader of "CVAT for images 1.1" XML: polygons, boxes and run-length masks become class masks.

CVAT measures in pixels from the image's upper left corner, so that the pixel in column x and row y
covers x to x + 1 and y to y + 1. A polygon takes a pixel if the pixel's centre, (x + 0.5, y + 0.5),
lies inside or on its edge; vertices keep their fractions.
"""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from samcarry.contract import is_class_name
from samcarry.errors import InputError
from samcarry.faults import raise_faults, shortlist
from samcarry.images import MOST_PIXELS

log = logging.getLogger(__name__)

_WITHOUT_AREA = ("polyline", "points", "ellipse", "cuboid", "skeleton")
_FARTHEST = 1e9  # pixels


@dataclass(frozen=True)
class AnnotatedImage:
    """One image of a CVAT file.

    Attributes:
        name: file name of the image.
        height: pixels.
        width: pixels.
        masks: a mask (height, width) for each class that has a shape, sorted by class.
    """

    name: str
    height: int
    width: int
    masks: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class _Polygon:
    """Corners (corner, xy) in CVAT's pixels."""

    corners: NDArray[np.float64]


@dataclass(frozen=True)
class _Runs:
    """A bitmap (height, width) whose upper left pixel is (left, top) of the image."""

    bitmap: NDArray[np.bool_]
    left: int
    top: int


@dataclass(frozen=True)
class _Entry:
    """One <image>: its shapes, read but not yet drawn."""

    name: str
    height: int
    width: int
    shapes: list[tuple[str, _Polygon | _Runs]]


def read_cvat(
    path: str | Path,
    *,
    label: str | None = None,
    attribute: str | None = None,
    classes: Sequence[str] | None = None,
) -> Iterator[AnnotatedImage]:
    """Read a CVAT file; the whole of it is judged before the first image is drawn.

    Shapes of one class are united. What is dropped is counted in the log.

    Args:
        path: the XML file.
        label: take the shapes of this label only; None takes all.
        attribute: the attribute whose value is the class; None takes the label's name.
        classes: the classes wanted; None takes all.

    Returns:
        The images, one at a time, those without any shape included.

    Raises:
        InputError: a line for each fault: XML that is malformed or for video, a polygon of fewer
            than three points, coordinates that are no finite numbers, a shape wholly outside its
            image, runs that do not add up to their box, two images of one name, a name with a
            path in it; and if no shape at all is of `label` and `classes`.
    """
    path = Path(path)
    root = _parse(path)
    faults: list[str] = []
    dropped: Counter[str] = Counter()
    entries: list[_Entry] = []
    names: set[str] = set()
    for element in root.iter("image"):
        entry = _read_entry(path, element, _chooser(label, attribute, classes, dropped), faults)
        if entry is None:
            continue
        if entry.name in names:
            faults.append(f"{path}: has two images {entry.name!r}; remove one")
        names.add(entry.name)
        entries.append(entry)
    if not entries and not faults:
        faults.append(f"{path}: has no <image>; export the task as 'CVAT for images 1.1'")
    if dropped and not faults and not any(entry.shapes for entry in entries):
        wanted = f"label {label!r}, attribute {attribute!r} and the classes"
        faults.append(
            f"{path}: none of its shapes is of the {wanted} asked for (it has "
            f"{shortlist(sorted(dropped))}); mend label, attribute or classes"
        )
    raise_faults(faults)
    if dropped:
        counts = shortlist([f"{name} {count}" for name, count in sorted(dropped.items())], 50)
        log.info("%s: dropped %d shapes not asked for: %s", path, dropped.total(), counts)
    return (_draw(entry) for entry in entries)


def decode_runs(runs: Sequence[int], height: int, width: int) -> NDArray[np.bool_]:
    """Run lengths, row by row and starting with background, -> a bitmap (height, width).

    Raises:
        InputError: if the runs do not add up to height x width, or one is negative.
    """
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise InputError(f"its runs add up to {sum(runs)} pixels and not {width} x {height}")
    foreground = np.arange(len(runs)) % 2 == 1
    return np.repeat(foreground, runs).reshape(height, width)


def _parse(path: Path) -> Any:
    """The root element."""
    try:
        return ElementTree.parse(path, forbid_dtd=True).getroot()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except DefusedXmlException:
        raise InputError(
            f"{path}: declares a document type or entities, which CVAT never writes and which can "
            "harm; export it again"
        ) from None
    except (ElementTree.ParseError, ValueError, LookupError, OSError) as error:
        raise InputError(f"{path}: is not readable XML ({error}); export it again") from None


def _chooser(
    label: str | None,
    attribute: str | None,
    classes: Sequence[str] | None,
    dropped: Counter[str],
) -> Callable[[Any], str | None]:
    """A function that tells the class of a shape, or None (and counts) if it is not asked for."""

    def choose(shape: Any) -> str | None:
        name = shape.get("label", "")
        if label is not None and name != label:
            dropped[f"label {name}"] += 1
            return None
        if attribute is not None:
            values = {a.get("name"): (a.text or "").strip() for a in shape.iter("attribute")}
            if not values.get(attribute):
                raise InputError(f"has no attribute {attribute!r}; fill it in or mend `attribute`")
            name = values[attribute]
        if classes is not None and name not in classes:
            dropped[name] += 1
            return None
        if not is_class_name(name):
            raise InputError(f"is of class {name!r}, no name for a file; rename the class")
        return name

    return choose


def _read_entry(
    path: Path, element: Any, choose: Callable[[Any], str | None], faults: list[str]
) -> _Entry | None:
    """One <image>, or None with a fault."""
    name = element.get("name", "")
    where = f"{path}: image {name!r}"
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        faults.append(f"{where}: its name must be a file's name without a path; rename it in CVAT")
        return None
    try:
        height, width = int(element.get("height")), int(element.get("width"))
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1 or height * width > MOST_PIXELS:
        faults.append(
            f"{where}: width {element.get('width')!r} and height {element.get('height')!r} are no "
            "size of an image; export it again"
        )
        return None
    shapes: list[tuple[str, _Polygon | _Runs]] = []
    for number, child in enumerate(element, start=1):
        if child.tag not in ("polygon", "box", "mask", *_WITHOUT_AREA):
            continue  # a <tag>, which says something of the image as a whole
        try:
            class_name = choose(child)
            if class_name is not None:
                shapes.append((class_name, _read_shape(child, height, width)))
        except InputError as error:
            faults.append(f"{where}: shape {number} (a {child.tag}) {error}")
    return _Entry(name, height, width, shapes)


def _read_shape(element: Any, height: int, width: int) -> _Polygon | _Runs:
    """A shape, of which some part lies in the image (height, width)."""
    shape: _Polygon | _Runs
    try:
        if element.tag == "mask":
            shape = _read_runs(element)
            low = np.array([shape.left, shape.top])
            high = low + shape.bitmap.shape[::-1]
        elif element.tag == "polygon":
            points = [point.split(",") for point in element.get("points", "").split(";")]
            shape = _Polygon(np.array([[float(x), float(y)] for x, y in points]))
        elif element.tag == "box":
            shape = _read_box(element)
        else:
            raise InputError("has no area that is read; draw a polygon, a box or a mask")
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"has a malformed number ({error}); draw it again") from None
    if isinstance(shape, _Polygon):
        if len(shape.corners) < 3:
            raise InputError(f"has {len(shape.corners)} points; draw it with 3 or more")
        if not (np.abs(shape.corners) < _FARTHEST).all():  # nor is NaN
            raise InputError("has a coordinate that is no number near the image; draw it again")
        low, high = shape.corners.min(axis=0), shape.corners.max(axis=0)
    if (high <= 0).any() or (low >= (width, height)).any():
        raise InputError(f"lies wholly outside the image of {width} x {height}; move or remove it")
    return shape


def _read_runs(element: Any) -> _Runs:
    """A <mask>: run lengths inside a box of its own."""
    left, top, width, height = (int(element.get(key)) for key in ("left", "top", "width", "height"))
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise InputError(f"has a box of {width} x {height} pixels; draw it again")
    runs = [int(run) for run in element.get("rle", "").split(",")]
    try:
        return _Runs(decode_runs(runs, height, width), left, top)
    except InputError as error:
        raise InputError(f"is broken: {error}; draw it again") from None


def _read_box(element: Any) -> _Polygon:
    """A <box>, which may be turned clockwise about its centre, in degrees."""
    x0, y0, x1, y1 = (float(element.get(key)) for key in ("xtl", "ytl", "xbr", "ybr"))
    angle = math.radians(float(element.get("rotation", 0)))
    cosine, sine = math.cos(angle), math.sin(angle)
    centre = np.array([x0 + x1, y0 + y1]) / 2
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) - centre
    return _Polygon(corners @ np.array([[cosine, sine], [-sine, cosine]]) + centre)


def _draw(entry: _Entry) -> AnnotatedImage:
    """Draw the shapes of an image, those of one class into one mask."""
    masks: dict[str, NDArray[np.bool_]] = {}
    for name, shape in sorted(entry.shapes, key=lambda shape: shape[0]):
        mask = masks.setdefault(name, np.zeros((entry.height, entry.width), dtype=bool))
        if isinstance(shape, _Polygon):
            _draw_polygon(mask, shape.corners)
        else:
            _paste(mask, shape)
    return AnnotatedImage(entry.name, entry.height, entry.width, masks)


def _draw_polygon(mask: NDArray[np.bool_], corners: NDArray[np.float64]) -> None:
    """Add a polygon to a mask; what reaches outside is cut off."""
    # skimage asks for rows and columns, and puts pixel centres at whole numbers.
    mask |= polygon2mask(mask.shape, corners[:, ::-1] - 0.5)


def _paste(mask: NDArray[np.bool_], runs: _Runs) -> None:
    """Add a bitmap to a mask; what reaches outside is cut off."""
    height, width = mask.shape
    top, left = max(runs.top, 0), max(runs.left, 0)
    bottom = min(runs.top + runs.bitmap.shape[0], height)
    right = min(runs.left + runs.bitmap.shape[1], width)
    part = runs.bitmap[top - runs.top : bottom - runs.top, left - runs.left : right - runs.left]
    mask[top:bottom, left:right] |= part
