"""Reader of Supervisely's JSON, a file an image: polygons with holes, bitmaps and rectangles.

Supervisely's whole numbers name pixels, and an outline takes the pixels that it runs through; its
pixel centres therefore lie at whole numbers, half a pixel from those of `shapes`.
"""

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from samcarry.errors import InputError, raise_faults
from samcarry.formats.json_values import declared_size, member, points_of, read_json
from samcarry.formats.shapes import (
    Annotation,
    Choose,
    Geometry,
    PassedOverError,
    Polygon,
    as_it_is,
    bitmap_of,
    collect_shapes,
)

NOT_ANNOTATIONS = ("meta.json", "key_id_map.json", "obj_class_to_machine_color.json")
_WITHOUT_AREA = ("point", "line", "graph", "cuboid", "cuboid_2d")
_MOST_BYTES = 50_000_000  # of one bitmap's PNG


def read_supervisely(path: str | Path, choose: Choose = as_it_is) -> list[Annotation]:
    """Read a Supervisely file (ann/<image>.json), which is of one image.

    Args:
        path: the JSON file, named after the image: 1.jpg.json (or, as it once was, 1.json).
        choose: names the class of a classTitle, None to pass over its objects.

    Returns:
        One annotation; lines, points, graphs and cuboids have no area, and are passed over.

    Raises:
        InputError: a line for each fault: JSON that is broken, an id that is used twice, a polygon of
            fewer than three points, coordinates that are no finite numbers, a bitmap that cannot be
            unpacked.
    """
    path = Path(path)
    document = read_json(path)
    faults: list[str] = []
    size = None
    try:
        sides = member(document, "size", dict)
        size = declared_size(member(sides, "height", int), member(sides, "width", int))
    except InputError as error:
        faults.append(f"{path}: {error}")
    entries: list[Any] = []
    try:
        entries = member(document, "objects", list)
    except InputError as error:
        faults.append(f"{path}: {error} in Supervisely's format")
    ids: set[int | str] = set()

    def read(entry: Any) -> tuple[str, Geometry] | None:
        title = member(entry, "classTitle", str)
        _check_id(entry, ids)
        if entry.get("geometryType") in _WITHOUT_AREA:
            raise PassedOverError(entry["geometryType"])
        class_name = choose(title)
        return None if class_name is None else (class_name, _read_geometry(entry))

    places = ((f"object {number}", entry) for number, entry in enumerate(entries, start=1))
    shapes, passed_over = collect_shapes(places, read, str(path), faults)
    raise_faults(faults)
    return [Annotation(path, path.stem, size, shapes, passed_over)]


def _check_id(entry: dict[str, Any], ids: set[int | str]) -> None:
    """Note the id of an object; old files have none."""
    key = entry.get("id")
    if isinstance(key, int | str):
        if key in ids:
            raise InputError(f"has the id {key!r:.30} of another one; remove one of the two")
        ids.add(key)


def _read_geometry(entry: dict[str, Any]) -> Geometry:
    """A shape in the coordinates of `shapes`."""
    kind = entry.get("geometryType")
    if kind is None:  # files of 2018 do not name it
        kind = "bitmap" if entry.get("bitmap") else "polygon"
    if kind == "bitmap":
        bitmap = member(entry, "bitmap", dict)
        ((left, top),) = points_of([bitmap.get("origin")], fewest=1)
        return bitmap_of(_unpack(member(bitmap, "data", str)), left, top)
    if kind not in ("polygon", "rectangle"):
        raise InputError(f"(a {kind!r:.30}) has no area that is read; draw a polygon or a bitmap")
    points = member(entry, "points", dict)
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points_of(points.get("exterior"), fewest=2)[:2]
        return Polygon(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) + 0.5)
    exterior = points_of(points.get("exterior"), fewest=3) + 0.5
    holes = points.get("interior") or []
    if not isinstance(holes, list):
        raise InputError("has holes that are no list of outlines; draw it again")
    return Polygon(exterior, tuple(points_of(hole, fewest=3) + 0.5 for hole in holes))


def _unpack(data: str) -> bytes:
    """A PNG from its base64 of zlib; never more than `_MOST_BYTES`."""
    try:
        unpacker = zlib.decompressobj()
        png = unpacker.decompress(base64.b64decode(data, validate=True), _MOST_BYTES)
    except (ValueError, zlib.error):
        raise InputError("has a bitmap that cannot be unpacked; export it again") from None
    if not unpacker.eof:
        raise InputError("has a bitmap that is cut off or far too large; export it again")
    return png
