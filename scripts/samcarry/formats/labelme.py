"""LabelMe's JSON, one file per image: reading polygons, rectangles (also rotated), circles and masks.

Coordinates are those of `shapes`: LabelMe's canvas shows the first pixel from 0 to 1. Image data in the file
is ignored.
"""

import base64
import math
from pathlib import Path
from typing import Any

import numpy as np

from samcarry.errors import InputError, raise_faults
from samcarry.formats.json_values import check_size, get_value, parse_points, read_json
from samcarry.geometry.shapes import (
    Annotation,
    ClassMapper,
    Ellipse,
    Geometry,
    Polygon,
    SkippedShapeError,
    collect_shapes,
    make_bitmap,
    same_name,
)

_WITHOUT_AREA = ("line", "linestrip", "point", "points")
_OF_CORNERS = ("polygon", "oriented_rectangle", "rotation")  # X-AnyLabeling's rotated rectangle is the last


def read_labelme(path: str | Path, map_class: ClassMapper = same_name) -> list[Annotation]:
    """Read a LabelMe file, which annotates one image.

    Args:
        path: the JSON file.
        map_class: maps a label to a class, None to skip its shapes.

    Returns:
        One annotation; lines and points have no area and are skipped.

    Raises:
        InputError: one line per fault: broken JSON, a polygon with fewer than three points, coordinates that
            are not finite numbers, a mask that cannot be read or does not fill its box.
    """
    path = Path(path)
    document = read_json(path)
    faults: list[str] = []
    size, name = None, ""
    entries: list[Any] = []
    try:
        name = get_value(document, "imagePath", str)
        entries = get_value(document, "shapes", list)
    except InputError as error:
        faults.append(f"{path}: {error} in LabelMe's format")
    try:
        size = check_size(document.get("imageHeight"), document.get("imageWidth"))
    except InputError as error:
        faults.append(f"{path}: {error}")

    def read(entry: Any) -> tuple[str, Geometry] | None:
        label = get_value(entry, "label", str)
        if entry.get("shape_type") in _WITHOUT_AREA:
            raise SkippedShapeError(entry["shape_type"])
        class_name = map_class(label)
        return None if class_name is None else (class_name, _read_geometry(entry))

    places = ((f"shape {number}", entry) for number, entry in enumerate(entries, start=1))
    shapes, skipped = collect_shapes(places, read, str(path), faults)
    raise_faults(faults)
    return [Annotation(path, name, size, shapes, skipped, relative=True)]


def _read_geometry(entry: dict[str, Any]) -> Geometry:
    kind = entry.get("shape_type") or "polygon"  # the oldest files do not name it
    if kind in _OF_CORNERS:
        return Polygon(parse_points(entry.get("points"), fewest=3))
    if kind not in ("rectangle", "circle", "mask"):
        raise InputError(f"(a {kind!r:.30}) is not a supported shape with an area; draw a polygon or a mask")
    points = parse_points(entry.get("points"), fewest=2)
    if kind == "rectangle" and len(points) > 2:
        if len(points) != 4:  # X-AnyLabeling writes all four corners, LabelMe two opposite ones
            raise InputError(f"(a rectangle) has {len(points)} points instead of 2 or 4; draw it again")
        return Polygon(points)
    (x0, y0), (x1, y1) = points[:2]
    if kind == "rectangle":
        return Polygon(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
    if kind == "circle":  # its centre and a point on its edge
        radius = math.hypot(x1 - x0, y1 - y0)
        return Ellipse(x0, y0, (radius, radius))
    try:
        png = base64.b64decode(get_value(entry, "mask", str), validate=True)
    except InputError:
        raise
    except ValueError:
        raise InputError("has a mask that cannot be decoded; export it again") from None
    bitmap = make_bitmap(png, x0, y0)
    box = (math.floor(x1) - bitmap.left + 1, math.floor(y1) - bitmap.top + 1)
    if (bitmap.width, bitmap.height) != box:  # both corners of the box are pixels of the mask
        raise InputError(
            f"has a mask of {bitmap.width} x {bitmap.height} in a box of {box[0]} x {box[1]}; draw it again"
        )
    return bitmap
