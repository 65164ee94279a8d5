"""VIA's annotations (VGG Image Annotator 1 and 2), JSON or CSV, one file for many images: reading outlines.

The class of a region is one of its attributes. Coordinates are those of `shapes`.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.data.user_files import composed
from samcarry.errors import InputError, raise_faults
from samcarry.formats.json_values import get_value, parse_points, read_json
from samcarry.geometry.shapes import (
    Annotation,
    ClassMapper,
    Ellipse,
    Geometry,
    LabelledShape,
    Polygon,
    SkippedShapeError,
    same_name,
)
from samcarry.storage.sheets import read_sheet

VIA_SUFFIXES = (".json", ".csv")
_WITHOUT_AREA = ("point", "polyline", "line")


@dataclass(frozen=True)
class _Region:
    """One region: its image, its place for messages, its shape and its attributes; no shape, no region."""

    image: str
    place: str
    shape: Any
    attributes: Any


def read_via(
    path: str | Path, map_class: ClassMapper = same_name, *, attribute: str | None = None
) -> list[Annotation]:
    """Read a VIA project, or annotations that VIA exported as JSON or CSV.

    Args:
        path: the file; VIA 3 and COCO exports of VIA are other formats.
        map_class: maps the value of the attribute to a class, None to skip its regions.
        attribute: the region attribute whose value is the class; None uses the only one of the region.

    Returns:
        The images in the order of the file, including those without regions; points and lines have no area
        and are skipped. Files of VIA do not give the size of an image.

    Raises:
        InputError: one line per fault: a file that cannot be read or has another form, an image listed twice,
            a region without the attribute, a polygon with fewer than three points, coordinates that are not
            finite numbers.
    """
    path = Path(path)
    faults: list[str] = []
    regions = (_rows if path.suffix.lower() == ".csv" else _entries)(path, faults)
    shapes: dict[str, list[LabelledShape]] = {}
    skipped: dict[str, list[str]] = {}
    for region in regions:
        of_image = shapes.setdefault(region.image, [])
        if not region.shape and not region.attributes:
            continue
        try:
            for name in _names(region, attribute):
                if (class_name := map_class(name)) is not None:
                    of_image.append(LabelledShape(region.place, class_name, (_read_geometry(region.shape),)))
        except SkippedShapeError as kind:
            skipped.setdefault(region.image, []).append(str(kind))
        except InputError as error:
            faults.append(f"{path}: image {region.image!r}: {region.place} {error}")
    if not shapes and not faults:
        faults.append(f"{path}: has no image; export the annotations of VIA as JSON or CSV")
    raise_faults(faults)
    return [
        Annotation(path, image, None, tuple(of_image), tuple(skipped.get(image, ())))
        for image, of_image in shapes.items()
    ]


def _entries(path: Path, faults: list[str]) -> Iterator[_Region]:
    """The regions in JSON; an image without any gives one without shape."""
    document = read_json(path)
    images = document.get("_via_img_metadata", document)
    seen: set[str] = set()
    for number, (key, entry) in enumerate(images.items() if isinstance(images, dict) else (), start=1):
        try:
            name = get_value(entry, "filename", str)
            regions = entry.get("regions")
            if isinstance(regions, dict):  # VIA 1
                regions = list(regions.values())
            if not isinstance(regions, list):
                raise InputError("has no list 'regions'; export the annotations of VIA 2 as JSON")
            if name in seen:
                raise InputError(
                    f"has the same file name {name!r:.100} as another one; remove one of the two"
                )
        except InputError as error:
            faults.append(f"{path}: image {number} ({key!r:.100}) {error}")
            continue
        seen.add(name)
        yield _Region(name, "", None, None)
        for place, region in enumerate(regions, start=1):
            parts = region if isinstance(region, dict) else {}
            # An entry that is no region is a fault of its shape.
            yield _Region(
                name,
                f"region {place}",
                parts.get("shape_attributes") or "",
                parts.get("region_attributes") or "-",
            )


def _rows(path: Path, faults: list[str]) -> Iterator[_Region]:
    """The regions in CSV, in which shape and attributes are JSON."""
    rows = read_sheet(path, required=["region_shape_attributes", "region_attributes"])
    size_of: dict[str, str] = {}
    refused: set[str] = set()
    for number, row in enumerate(rows, start=1):
        name = row.get("filename") or row.get("#filename") or ""
        if not name:
            faults.append(f"{path}: entry {number} has no 'filename'; export it again")
            continue
        # VIA knows an image by its name and its size in bytes.
        size = row.get("file_size", "")
        if size and size_of.setdefault(name, size) != size and name not in refused:
            refused.add(name)
            faults.append(
                f"{path}: entry {number} has the same file name {name!r:.100} as another image (their "
                f"file_size is {size:.20} and {size_of[name]:.20}); remove one of the two"
            )
        try:
            shape, attributes = (
                json.loads(row[key] or "{}") for key in ("region_shape_attributes", "region_attributes")
            )
        except (ValueError, RecursionError):
            faults.append(f"{path}: entry {number} has attributes that are not JSON; export it again")
            continue
        yield _Region(name, f"entry {number}", shape, attributes)


def _names(region: _Region, attribute: str | None) -> list[str]:
    """The classes of a region: a text, or the ticked boxes."""
    if get_value(region.shape, "name", str) in _WITHOUT_AREA:
        raise SkippedShapeError(region.shape["name"])
    if not isinstance(region.attributes, dict):
        raise InputError("has no attributes; give it one that holds the class")
    attributes = {composed(key): value for key, value in region.attributes.items()}
    if attribute is None:
        if len(attributes) != 1:
            raise InputError(
                f"has {len(attributes)} attributes; write which one is the class, as `attribute`"
            )
        attribute = next(iter(attributes))
    value = attributes.get(attribute)
    if isinstance(value, dict):
        names = [str(name) for name, ticked in value.items() if ticked is True]
    else:
        names = [value.strip()] if isinstance(value, str) and value.strip() else []
    if not names:
        raise InputError(
            f"has no value of the attribute {attribute!r:.60}; fill it in or correct `attribute`"
        )
    return names


def _read_geometry(shape: dict[str, Any]) -> Geometry:
    kind = shape["name"]
    if kind in ("polygon", "polyshape"):
        xs, ys = (get_value(shape, key, list) for key in ("all_points_x", "all_points_y"))
        if len(xs) != len(ys):
            raise InputError(f"has {len(xs)} x and {len(ys)} y; draw it again")
        return Polygon(parse_points([list(pair) for pair in zip(xs, ys, strict=True)], fewest=3))
    if kind == "rect":
        (x, y), (width, height) = _pairs(shape, ("x", "y"), ("width", "height"))
        return Polygon(np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]]))
    if kind not in ("circle", "ellipse"):
        raise InputError(f"(a {kind!r:.30}) is not a supported shape with an area; draw a polygon")
    radii = ("r", "r") if kind == "circle" else ("rx", "ry")
    (x, y), (across, along) = _pairs(shape, ("cx", "cy"), radii)
    if min(across, along) <= 0:
        raise InputError("has no area; draw it again")
    angle = 0.0
    if shape.get("theta") is not None:  # in radians
        ((angle, _),) = _pairs(shape, ("theta", "theta"))
    return Ellipse(float(x), float(y), (float(across), float(along)), math.degrees(angle))


def _pairs(shape: dict[str, Any], *keys: tuple[str, str]) -> NDArray[np.float64]:
    return parse_points([[shape.get(key) for key in pair] for pair in keys], fewest=len(keys))
