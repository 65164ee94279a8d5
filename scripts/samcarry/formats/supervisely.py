"""Supervisely's JSON, one file per image: reading polygons with holes, bitmaps and rectangles.

In Supervisely, whole numbers are pixels and an outline includes the pixels it passes through. Its pixel
centres are therefore at whole numbers, half a pixel from those of `shapes`.
"""

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from samcarry.errors import InputError, raise_faults
from samcarry.formats.json_values import check_size, get_value, parse_points, read_json
from samcarry.geometry.shapes import (
    Annotation,
    ClassMapper,
    Geometry,
    Polygon,
    SkippedShapeError,
    collect_shapes,
    make_bitmap,
    same_name,
)

NOT_ANNOTATIONS = ("meta.json", "key_id_map.json", "obj_class_to_machine_color.json")
_WITHOUT_AREA = ("point", "line", "graph", "cuboid", "cuboid_2d")
_MAX_BYTES = 50_000_000  # of one bitmap's PNG


def read_supervisely(path: str | Path, map_class: ClassMapper = same_name) -> list[Annotation]:
    """Read a Supervisely file (ann/<image>.json), which annotates one image.

    Args:
        path: the JSON file, named after the image: 1.jpg.json (1.json in old projects).
        map_class: maps a classTitle to a class, None to skip its objects.

    Returns:
        One annotation; lines, points, graphs and cuboids have no area and are skipped.

    Raises:
        InputError: one line per fault: broken JSON, an id that is used twice, a polygon with fewer than three
            points, coordinates that are not finite numbers, a bitmap that cannot be decoded.
    """
    path = Path(path)
    document = read_json(path)
    faults: list[str] = []
    size = None
    try:
        sides = get_value(document, "size", dict)
        size = check_size(get_value(sides, "height", int), get_value(sides, "width", int))
    except InputError as error:
        faults.append(f"{path}: {error}")
    entries: list[Any] = []
    try:
        entries = get_value(document, "objects", list)
    except InputError as error:
        faults.append(f"{path}: {error} in Supervisely's format")
    ids: set[int | str] = set()

    def read(entry: Any) -> tuple[str, Geometry] | None:
        title = get_value(entry, "classTitle", str)
        _check_id(entry, ids)
        if entry.get("geometryType") in _WITHOUT_AREA:
            raise SkippedShapeError(entry["geometryType"])
        class_name = map_class(title)
        return None if class_name is None else (class_name, _read_geometry(entry))

    places = ((f"object {number}", entry) for number, entry in enumerate(entries, start=1))
    shapes, skipped = collect_shapes(places, read, str(path), faults)
    raise_faults(faults)
    return [Annotation(path, path.stem, size, shapes, skipped)]


def _check_id(entry: dict[str, Any], ids: set[int | str]) -> None:
    """Record the id of an object, which must be new; old files have none."""
    key = entry.get("id")
    if isinstance(key, int | str):
        if key in ids:
            raise InputError(f"has the same id {key!r:.30} as another one; remove one of the two")
        ids.add(key)


def _read_geometry(entry: dict[str, Any]) -> Geometry:
    """A shape in the coordinates of `shapes`."""
    kind = entry.get("geometryType")
    if kind is None:  # files of 2018 do not name it
        kind = "bitmap" if entry.get("bitmap") else "polygon"
    if kind == "bitmap":
        bitmap = get_value(entry, "bitmap", dict)
        ((left, top),) = parse_points([bitmap.get("origin")], fewest=1)
        return make_bitmap(_unpack(get_value(bitmap, "data", str)), left, top)
    if kind not in ("polygon", "rectangle"):
        raise InputError(
            f"(a {kind!r:.30}) is not a supported shape with an area; draw a polygon or a bitmap"
        )
    points = get_value(entry, "points", dict)
    if kind == "rectangle":
        (x0, y0), (x1, y1) = parse_points(points.get("exterior"), fewest=2)[:2]
        return Polygon(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) + 0.5)
    exterior = parse_points(points.get("exterior"), fewest=3) + 0.5
    holes = points.get("interior") or []
    if not isinstance(holes, list):
        raise InputError("has holes that are not a list of outlines; draw it again")
    return Polygon(exterior, tuple(parse_points(hole, fewest=3) + 0.5 for hole in holes))


def _unpack(data: str) -> bytes:
    """The PNG in base64 of zlib, of at most `_MAX_BYTES`."""
    try:
        unpacker = zlib.decompressobj()
        png = unpacker.decompress(base64.b64decode(data, validate=True), _MAX_BYTES)
    except (ValueError, zlib.error):
        raise InputError("has a bitmap that cannot be decoded; export it again") from None
    if not unpacker.eof:
        raise InputError("has a bitmap that is truncated or far too large; export it again")
    return png
