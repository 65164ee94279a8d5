"""Label Studio's JSON, one file for many images: reading brushes, polygons, rectangles and ellipses.

Coordinates are percentages of the image's width and height. A brush is an RGBA image in run lengths, whose
transparency is the mask. An image may have several annotations, by different people.
"""

import math
import re
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from samcarry.data.user_files import composed, image_name
from samcarry.errors import InputError, raise_faults
from samcarry.formats.json_values import check_size, get_value, parse_json, parse_points
from samcarry.geometry.run_lengths import encode_mask
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

_WITHOUT_AREA = (
    *("keypoint", "vector", "relation"),
    # These describe the whole image.
    *("choices", "textarea", "rating", "number", "taxonomy", "datetime", "pairwise", "ranker"),
)
_UPLOAD = re.compile(r"/data/upload/\d+/")
_UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the name of an upload


def read_label_studio(
    path: str | Path, map_class: ClassMapper = same_name, *, cases: Collection[str] = ()
) -> list[Annotation]:
    """Read a Label Studio file.

    Predictions, and annotations that were skipped, are ignored. A task without any other annotation is not
    annotated.

    Args:
        path: the JSON file.
        map_class: maps a label to a class, None to skip its shapes.
        cases: the known cases; they decide whether an upload keeps the prefix that Label Studio gave it.

    Returns:
        One annotation per image and annotator, in the order of the file; keypoints and answers without an
        area are skipped.

    Raises:
        InputError: one line per fault: broken JSON, another export than 'JSON', a task without an image, two
            image sizes, an image that was rotated, a polygon with fewer than three points, coordinates that
            are not finite numbers, run lengths that are damaged or of another size, a shape without a label.
    """
    path = Path(path)
    tasks = parse_json(path)
    if not isinstance(tasks, list):
        raise InputError(f"{path}: holds no list of tasks; export it from Label Studio as 'JSON'")
    faults: list[str] = []
    found: list[Annotation] = []
    for number, task in enumerate(tasks, start=1):
        try:
            data = get_value(task, "data", dict)
            annotations = get_value(task, "annotations", list)
        except InputError as error:
            faults.append(f"{path}: task {number} {error} as 'JSON', not as 'JSON-MIN'")
            continue
        try:
            name = _name_of_image(data, cases)
        except InputError as error:
            faults.append(f"{path}: task {number} {error}")
            continue
        for place, annotation in enumerate(annotations, start=1):
            try:
                if not (isinstance(annotation, dict) and annotation.get("was_cancelled") is True):
                    found.append(_read_annotation(path, name, place, annotation, map_class, faults))
            except InputError as error:
                faults.append(f"{path}: image {name!r}: annotation {place} {error}")
    if not tasks:
        faults.append(f"{path}: holds no task; export it from Label Studio as 'JSON'")
    raise_faults(faults)
    return found


def _name_of_image(data: dict[str, Any], cases: Collection[str]) -> str:
    """The path of the image in a task, without the parts that a server adds."""
    texts = [data["image"]] if isinstance(data.get("image"), str) else data.values()
    paths = [(_path_of(text), text) for text in texts if isinstance(text, str)]
    images = [pair for pair in paths if image_name(PurePosixPath(pair[0])) is not None]
    if len(images) != 1:
        raise InputError(f"names {len(images)} images in its 'data'; name the right one 'image'")
    path, text = images[0]
    uploaded = _UPLOAD.sub("", path, count=1)
    if uploaded == path:
        return path
    # The name of an upload is quoted as in a URL, but a file on disk may have the quoted name.
    spellings = [uploaded, *([_UPLOAD.sub("", text, count=1)] if _UPLOAD.match(text) else [])]
    without_prefix = [_UPLOAD_PREFIX.sub("", name, count=1) for name in spellings]
    known = (name for name in [*spellings, *without_prefix] if composed(PurePosixPath(name).stem) in cases)
    return next(known, without_prefix[0])


def _path_of(text: str) -> str:
    """The path of an image that a text may be: a URL, an upload, or a file in local storage."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    if parts.path == "/data/local-files/":
        return parse_qs(parts.query).get("d", [""])[0].lstrip("/")
    if not (parts.scheme and parts.netloc):
        return unquote(text) if _UPLOAD.match(text) else text
    path = unquote(parts.path)  # of https://server/a.png?signature=..., s3://bucket/a.png
    return path if _UPLOAD.match(path) else path.lstrip("/")


def _read_annotation(
    path: Path, name: str, number: int, annotation: Any, map_class: ClassMapper, faults: list[str]
) -> Annotation:
    """What one annotator drew."""
    where = f"{path}: image {name!r}: annotation {number}"
    results = get_value(annotation, "result", list)
    labels = _labels_of_regions(results)
    shapes: list[LabelledShape] = []
    skipped: list[str] = []
    sizes: set[tuple[int, int]] = set()
    for place, result in enumerate(results, start=1):
        try:
            size, parts = _read_result(result, labels)
            sizes.add(size)
            if len(sizes) > 1:
                raise InputError("gives the image another size than a shape before it; export it again")
            for label in parts:
                if (class_name := map_class(label)) is not None:
                    geometry = _read_geometry(result, *size)
                    shapes.append(
                        LabelledShape(f"annotation {number}, shape {place}", class_name, (geometry,))
                    )
        except SkippedShapeError as kind:
            skipped.append(str(kind))
        except InputError as error:
            faults.append(f"{where}: shape {place} {error}")
    annotator = f"annotation {number}"
    return Annotation(
        path, name, min(sizes, default=None), tuple(shapes), tuple(skipped), annotator=annotator
    )


def _labels_of_regions(results: list[Any]) -> dict[str, list[Any]]:
    """{id of a region: labels} that the control Labels gives beside the shape."""
    found = {}
    for result in results:
        if isinstance(result, dict) and result.get("type") == "labels" and isinstance(result.get("id"), str):
            value = result.get("value")
            labels = value.get("labels") if isinstance(value, dict) else None
            found[result["id"]] = labels if isinstance(labels, list) else []
    return found


def _read_result(result: Any, labels: dict[str, list[Any]]) -> tuple[tuple[int, int], list[str]]:
    """Image size and labels of a shape."""
    control = get_value(result, "type", str)
    kind = control.removesuffix("labels")
    if control == "labels" or kind in _WITHOUT_AREA:
        raise SkippedShapeError(control)
    if kind not in _READERS:
        raise InputError(
            f"(a {control!r:.30}) is not a supported shape with an area; draw a polygon or a brush"
        )
    size = check_size(result.get("original_height"), result.get("original_width"))
    if size is None:
        raise InputError("has no 'original_width' and 'original_height'; export it again")
    if result.get("image_rotation") not in (None, 0):
        raise InputError("is on an image that was rotated in Label Studio; turn it back and export it again")
    key = result.get("id")
    own = get_value(result, "value", dict).get(control)
    given = own if own is not None else labels.get(key if isinstance(key, str) else "")
    if not isinstance(given, list) or not given or not all(isinstance(label, str) for label in given):
        raise InputError("has no label; give it one in Label Studio")
    return size, given


def _read_geometry(result: dict[str, Any], height: int, width: int) -> Geometry:
    return _READERS[result["type"].removesuffix("labels")](result["value"], height, width)


def _read_polygon(value: dict[str, Any], height: int, width: int) -> Geometry:
    return Polygon(_in_pixels(value.get("points"), 3, height, width))


def _read_rectangle(value: dict[str, Any], height: int, width: int) -> Geometry:
    """A rectangle, which may be rotated clockwise about its upper left corner, in degrees."""
    (corner, sides) = _in_pixels(
        [[value.get(key) for key in keys] for keys in ("xy", _SIDES)], 2, height, width
    )
    angle = math.radians(_number(value, "rotation"))
    across = np.array([math.cos(angle), math.sin(angle)]) * sides[0]
    down = np.array([-math.sin(angle), math.cos(angle)]) * sides[1]
    return Polygon(np.stack([corner, corner + across, corner + across + down, corner + down]))


def _read_ellipse(value: dict[str, Any], height: int, width: int) -> Geometry:
    """An ellipse, which may be rotated clockwise about its centre, in degrees."""
    (centre, radii) = _in_pixels(
        [[value.get(key) for key in keys] for keys in ("xy", _RADII)], 2, height, width
    )
    if min(radii) <= 0:
        raise InputError("has no area; draw it again")
    return Ellipse(
        float(centre[0]), float(centre[1]), (float(radii[0]), float(radii[1])), _number(value, "rotation")
    )


def _read_brush(value: dict[str, Any], height: int, width: int) -> Geometry:
    packed = get_value(value, "rle", list)
    try:
        content = bytes(packed)
    except (TypeError, ValueError):
        raise InputError("has a brush that is not a list of bytes; export it again") from None
    return encode_mask(unpack_brush(content, height, width))


_SIDES = ("width", "height")
_RADII = ("radiusX", "radiusY")
_READERS: dict[str, Callable[[dict[str, Any], int, int], Geometry]] = {
    "polygon": _read_polygon,
    "rectangle": _read_rectangle,
    "ellipse": _read_ellipse,
    "brush": _read_brush,
}


def _in_pixels(value: Any, fewest: int, height: int, width: int) -> NDArray[np.float64]:
    """Points (point, xy) in pixels from a list of percentages."""
    return parse_points(value, fewest) * (width / 100, height / 100)


def _number(value: dict[str, Any], key: str) -> float:
    """A finite number; 0 if the key is missing."""
    ((number, _),) = parse_points([[value.get(key, 0), 0]], fewest=1)
    return float(number)


def unpack_brush(content: bytes, height: int, width: int) -> NDArray[np.bool_]:
    """The mask (height, width) of a brush: where its RGBA image is not transparent.

    The bits of `content` are the number of values, the size of a value and the four sizes of a run's length,
    each less 1. Each run begins with a bit, 1 for a repeated value and 0 for different values; then come
    two bits that choose the size of its length, the length less 1, and its value or values.

    Raises:
        InputError: it is cut off, damaged, or of another size.
    """
    reader = _Bits(content)
    values = reader.read(32)
    if values != 4 * height * width:
        raise InputError(f"has a brush of {values:,} values and not 4 x {width} x {height}; export it again")
    if reader.read(5) != 7:
        raise InputError("has a brush whose values are not bytes; export it again")
    sizes = [reader.read(4) + 1 for _ in range(4)]
    mask = np.zeros(height * width, dtype=bool)
    start = 0
    while start < values:
        repeated, size = reader.read(1), sizes[reader.read(2)]
        length = reader.read(size) + 1
        if start + length > values:
            raise InputError("has a brush that is longer than its image; export it again")
        first, end = start // 4, (start + length) // 4  # the pixels whose transparency is in this run
        if repeated:
            mask[first:end] = reader.read(8) != 0
        else:
            run = np.frombuffer(reader.read(8 * length).to_bytes(length, "big"), np.uint8)
            mask[first:end] = run[4 * first + 3 - start :: 4] != 0
        start += length
    return mask.reshape(height, width)


class _Bits:
    """Reads whole numbers from bytes, the highest bit first."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def read(self, bits: int) -> int:
        """The next number of that many bits."""
        end = self._at + bits
        if end > 8 * len(self._content):
            raise InputError("has a brush that is cut off; export it again")
        last = -(-end // 8)
        number = int.from_bytes(self._content[self._at // 8 : last], "big") >> (8 * last - end)
        self._at = end
        return number & ((1 << bits) - 1)
