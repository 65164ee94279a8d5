"""CVAT 1.1 XML: reading annotations of images, and writing tasks with masks."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from samcarry.data.user_files import composed
from samcarry.errors import InputError, list_counts, raise_faults
from samcarry.formats.json_values import check_size, parse_points
from samcarry.geometry.run_lengths import EncodedImage, check_runs, decode_box, encode_runs
from samcarry.geometry.shapes import (
    Annotation,
    BoxRuns,
    ClassMapper,
    Ellipse,
    Geometry,
    Polygon,
    SkippedShapeError,
    collect_shapes,
    same_name,
)
from samcarry.images import MOST_PIXELS
from samcarry.images.colours import class_colours_8bit
from samcarry.storage.files import atomic
from samcarry.storage.reading import reading


def read_cvat(
    path: str | Path,
    map_class: ClassMapper = same_name,
    *,
    label: str | None = None,
    attribute: str | None = None,
    without_area: Literal["skip", "refuse"] = "skip",
) -> list[Annotation]:
    """Read a CVAT file.

    Polylines, points, cuboids and skeletons have no area and are skipped, as are shapes with another label.
    Tags are ignored.

    Args:
        path: the XML file.
        map_class: maps a label, or the value of `attribute`, to a class; None to skip its shapes.
        label: read only shapes with this label; None reads all.
        attribute: the attribute whose value is the class; None uses the label.
        without_area: 'refuse' makes an entry without an area a fault if `map_class` takes its class.

    Returns:
        The images in the order of the file, including those without shapes.

    Raises:
        InputError: one line per fault: XML that is malformed or for video, a polygon with fewer than three
            points, coordinates that are not finite numbers, runs that do not add up to their box, a shape
            without the attribute, two images with one name, or no shape at all with `label`.
    """
    path = Path(path)
    faults: list[str] = []
    images: dict[str, Annotation] = {}
    map_shape = _shape_mapper(map_class, label, attribute)
    for number, element in enumerate(parse_xml(path).iter("image"), start=1):
        name = element.get("name", "")
        if name in images:
            faults.append(
                f"{path}: image {number} has the same name {name!r} as another one; remove one of the two"
            )
            continue
        images[name] = _read_image(path, name, element, map_shape, without_area == "refuse", faults)
    if not images:
        faults.append(f"{path}: has no <image>; export the task as 'CVAT for images 1.1'")
    others = Counter(kind for image in images.values() for kind in image.skipped)
    if label is not None and others and not faults and not any(image.shapes for image in images.values()):
        met = list_counts(others, 5)
        faults.append(f"{path}: none of its shapes has the label {label!r} (it has {met}); correct `label`")
    raise_faults(faults)
    return list(images.values())


def parse_xml(path: Path) -> Any:
    """The root element of an XML file without entities, which could expand without limit."""
    try:
        with reading(path, by_rule=False):
            return ElementTree.parse(path, forbid_dtd=True).getroot()
    except InputError:
        raise
    except DefusedXmlException:
        raise InputError(
            f"{path}: declares a document type or entities, which CVAT never writes and which can be "
            "harmful; export it again"
        ) from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: is not readable XML ({error}); export it again") from None


def _shape_mapper(
    map_class: ClassMapper, label: str | None, attribute: str | None
) -> Callable[[Any], str | None]:
    """A function that returns the class of a shape element, by its label or the value of its attribute."""

    def map_shape(shape: Any) -> str | None:
        name = composed(shape.get("label", ""))
        if label is not None and name != label:
            raise SkippedShapeError(f"label {name}")
        if attribute is None:
            return map_class(name)
        values = {composed(a.get("name", "")): (a.text or "").strip() for a in shape.iter("attribute")}
        if not values.get(attribute):
            raise InputError(f"has no attribute {attribute!r}; fill it in or correct `attribute`")
        return map_class(values[attribute])

    return map_shape


def _read_image(
    path: Path,
    name: str,
    element: Any,
    map_shape: Callable[[Any], str | None],
    refuses_without_area: bool,
    faults: list[str],
) -> Annotation:
    """The annotation in an <image>."""
    where = f"{path}: image {name!r}"
    size = None
    try:
        size = check_size(_to_int(element.get("height", "")), _to_int(element.get("width", "")))
    except InputError as error:
        faults.append(f"{where}: {error}")

    def read(child: Any) -> tuple[str, Geometry] | None:
        if child.tag not in _READERS:
            if refuses_without_area and (class_name := _class_or_none(child, map_shape)) is not None:
                raise InputError(
                    f"of class {class_name!r} has no area; draw it as a polygon or a mask, or delete it"
                )
            raise SkippedShapeError(f"{child.tag:.30}")
        class_name = map_shape(child)
        return None if class_name is None else (class_name, _read_shape(child))

    places = (
        (f"shape {number} (a {child.tag:.30})", child)
        for number, child in enumerate(element, start=1)
        if child.tag != "tag"  # it describes the whole image
    )
    shapes, skipped = collect_shapes(places, read, where, faults)
    return Annotation(path, name, size, shapes, skipped)


def _class_or_none(shape: Any, map_shape: Callable[[Any], str | None]) -> str | None:
    """The class of a shape element, None if it is not wanted or not known."""
    try:
        return map_shape(shape)
    except (InputError, SkippedShapeError):
        return None


def _to_int(text: str) -> int | str:
    """A whole number of up to nine digits; any other text unchanged, which `check_size` refuses."""
    return int(text) if text.isdecimal() and len(text) < 10 else text


def _read_shape(element: Any) -> Geometry:
    try:
        return _READERS[element.tag](element)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"has a malformed number ({error}); draw it again") from None


def _read_polygon(element: Any) -> Polygon:
    pairs = [point.split(",") for point in element.get("points", "").split(";")]
    return Polygon(parse_points([[float(x), float(y)] for x, y in pairs], fewest=3))


def _read_box(element: Any) -> Polygon:
    """A <box>, which may be rotated clockwise about its centre, in degrees."""
    x0, y0, x1, y1 = (float(element.get(key)) for key in ("xtl", "ytl", "xbr", "ybr"))
    corners = parse_points([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], fewest=4)
    angle = _angle(element)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    centre = corners.mean(axis=0)
    return Polygon((corners - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre)


def _read_ellipse(element: Any) -> Ellipse:
    """An <ellipse>, which may be rotated in the same way."""
    numbers = [[float(element.get(key)) for key in keys] for keys in (("cx", "cy"), ("rx", "ry"))]
    (x, y), radii = parse_points(numbers, fewest=2)
    if min(radii) <= 0:
        raise InputError("has no area; draw it again")
    return Ellipse(float(x), float(y), (float(radii[0]), float(radii[1])), _angle(element))


def _angle(element: Any) -> float:
    ((angle, _),) = parse_points([[float(element.get("rotation", 0)), 0]], fewest=1)
    return float(angle)


def _read_runs(element: Any) -> BoxRuns:
    """A <mask>: run lengths inside a bounding box."""
    left, top, width, height = (int(element.get(key)) for key in ("left", "top", "width", "height"))
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise InputError(f"has a box of {width} x {height} pixels; draw it again")
    parse_points([[left, top]], fewest=1)
    runs = tuple(int(run) for run in element.get("rle", "").split(","))
    try:
        check_runs(runs, height, width)
    except InputError as error:
        raise InputError(f"is broken: {error}; draw it again") from None
    return BoxRuns(runs, left, top, height, width)


_READERS: dict[str, Callable[[Any], Geometry]] = {
    "polygon": _read_polygon,
    "box": _read_box,
    "ellipse": _read_ellipse,
    "mask": _read_runs,
}


def write_cvat(
    path: str | Path,
    images: Iterable[EncodedImage],
    classes: Sequence[str],
    *,
    label: str | None = None,
    attribute: str | None = None,
) -> None:
    """Write images with their masks, one at a time, atomically.

    Args:
        path: the XML file.
        images: made by `run_lengths.encode_image`; those without a mask are written too.
        classes: class names; `class_index` of a mask is the position in this list.
        label: give every shape this label (Knochen in the wrist study) and write the class as the value of
            `attribute`; None writes the class as the label.
        attribute: name of that attribute (Anatomie); required with `label`.

    Raises:
        ValueError: only one of `label` and `attribute` is given.
    """
    if (label is None) != (attribute is None):
        raise ValueError("label and attribute must be given together")
    with atomic(path) as private, private.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        stream.write(_text(_meta(classes, label, attribute)))
        for number, image in enumerate(images):
            stream.write(_text(_image(number, image, classes, label, attribute)))
        stream.write("</annotations>\n")


def _meta(classes: Sequence[str], label: str | None, attribute: str | None) -> Element:
    """The part of CVAT's task description that readers need: labels and their colours."""
    meta = Element("meta")
    task = SubElement(meta, "task")
    SubElement(task, "name").text = "samcarry"
    SubElement(task, "mode").text = "annotation"
    SubElement(task, "overlap").text = "0"
    labels = SubElement(task, "labels")
    names = classes if label is None else [label]
    for name, colour in zip(names, class_colours_8bit(len(names)), strict=True):
        entry = SubElement(labels, "label")
        SubElement(entry, "name").text = name
        SubElement(entry, "color").text = "#" + bytes(colour).hex()
        SubElement(entry, "type").text = "any"
        attributes = SubElement(entry, "attributes")
        if attribute is not None:
            _add_attribute(attributes, attribute, classes)
    return meta


def _add_attribute(attributes: Element, name: str, classes: Sequence[str]) -> None:
    """Add the attribute whose values are the classes, as a drop-down list in CVAT."""
    entry = SubElement(attributes, "attribute")
    SubElement(entry, "name").text = name
    SubElement(entry, "mutable").text = "True"
    SubElement(entry, "input_type").text = "select"
    SubElement(entry, "default_value").text = classes[0]
    SubElement(entry, "values").text = "\n".join(classes)


def _image(
    number: int, image: EncodedImage, classes: Sequence[str], label: str | None, attribute: str | None
) -> Element:
    """One <image> with a <mask> for each class that is present."""
    size = {"width": str(image.width), "height": str(image.height)}
    element = Element("image", {"id": str(number), "name": image.file_name, **size})
    for mask in image.masks:
        name = classes[mask.class_index]
        box = zip(("left", "top", "width", "height"), map(str, mask.box), strict=True)
        runs = ", ".join(map(str, encode_runs(decode_box(image, mask))))
        head = {"label": label or name, "source": "auto", "occluded": "0", "rle": runs}
        shape = SubElement(element, "mask", {**head, **dict(box), "z_order": "0"})
        if attribute is not None:
            SubElement(shape, "attribute", {"name": attribute}).text = name
    return element


def _text(element: Element) -> str:
    indent(element)
    return tostring(element, encoding="unicode") + "\n"
