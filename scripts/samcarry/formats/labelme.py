"""Reader of LabelMe's JSON, a file an image: polygons, rectangles (turned ones too), circles and masks.

A polygon's coordinates are those of `shapes`: LabelMe's canvas shows the first pixel from 0 to 1.
The image data that a file may hold are not looked at.
"""

import base64
import math
from pathlib import Path
from typing import Any

import numpy as np

from samcarry.errors import InputError, raise_faults
from samcarry.formats.json_values import declared_size, member, points_of, read_json
from samcarry.formats.shapes import (
    Annotation,
    Choose,
    Ellipse,
    Geometry,
    PassedOverError,
    Polygon,
    as_it_is,
    bitmap_of,
    collect_shapes,
)

_WITHOUT_AREA = ("line", "linestrip", "point", "points")


def read_labelme(path: str | Path, choose: Choose = as_it_is) -> list[Annotation]:
    """Read a LabelMe file, which is of one image.

    Args:
        path: the JSON file.
        choose: names the class of a label, None to pass over its shapes.

    Returns:
        One annotation; lines and points have no area, and are passed over.

    Raises:
        InputError: a line for each fault: JSON that is broken, a polygon of fewer than three points,
            coordinates that are no finite numbers, a mask that cannot be read or does not fill its
            box.
    """
    path = Path(path)
    document = read_json(path)
    faults: list[str] = []
    size, name = None, ""
    entries: list[Any] = []
    try:
        name = member(document, "imagePath", str)
        entries = member(document, "shapes", list)
    except InputError as error:
        faults.append(f"{path}: {error} in LabelMe's format")
    try:
        size = declared_size(document.get("imageHeight"), document.get("imageWidth"))
    except InputError as error:
        faults.append(f"{path}: {error}")

    def read(entry: Any) -> tuple[str, Geometry] | None:
        label = member(entry, "label", str)
        if entry.get("shape_type") in _WITHOUT_AREA:
            raise PassedOverError(entry["shape_type"])
        class_name = choose(label)
        return None if class_name is None else (class_name, _read_geometry(entry))

    places = ((f"shape {number}", entry) for number, entry in enumerate(entries, start=1))
    shapes, passed_over = collect_shapes(places, read, str(path), faults)
    raise_faults(faults)
    return [Annotation(path, name, size, shapes, passed_over)]


def _read_geometry(entry: dict[str, Any]) -> Geometry:
    kind = entry.get("shape_type") or "polygon"  # files of the first years do not name it
    if kind in ("polygon", "oriented_rectangle"):
        return Polygon(points_of(entry.get("points"), fewest=3))
    if kind not in ("rectangle", "circle", "mask"):
        raise InputError(f"(a {kind!r:.30}) has no area that is read; draw a polygon or a mask")
    (x0, y0), (x1, y1) = points_of(entry.get("points"), fewest=2)[:2]
    if kind == "rectangle":
        return Polygon(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
    if kind == "circle":  # its centre and a point of its rim
        radius = math.hypot(x1 - x0, y1 - y0)
        return Ellipse(x0, y0, (radius, radius))
    try:
        png = base64.b64decode(member(entry, "mask", str), validate=True)
    except InputError:
        raise
    except ValueError:
        raise InputError("has a mask that cannot be unpacked; export it again") from None
    bitmap = bitmap_of(png, x0, y0)
    box = (math.floor(x1) - bitmap.left + 1, math.floor(y1) - bitmap.top + 1)
    if (bitmap.width, bitmap.height) != box:  # both of its corners are pixels of the mask
        raise InputError(
            f"has a mask of {bitmap.width} x {bitmap.height} in a box of {box[0]} x {box[1]}; draw it again"
        )
    return bitmap
