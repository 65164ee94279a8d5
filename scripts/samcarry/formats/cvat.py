"""CVAT 1.1 XML: reading annotations of images and writing tasks with masks."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.formats.json_values import declared_size, points_of
from samcarry.formats.run_lengths import EncodedImage, check_runs, decode_box, encode_runs
from samcarry.formats.shapes import (
    Annotation,
    BoxRuns,
    Choose,
    Ellipse,
    Geometry,
    PassedOverError,
    Polygon,
    as_it_is,
    collect_shapes,
)
from samcarry.images import MOST_PIXELS
from samcarry.images.colours import colours_of
from samcarry.storage.files import atomic


def read_cvat(
    path: str | Path,
    choose: Choose = as_it_is,
    *,
    label: str | None = None,
    attribute: str | None = None,
) -> list[Annotation]:
    """Read a CVAT file.

    Polylines, points, cuboids and skeletons have no area, and are passed over, as are shapes of another
    label. Tags are not looked at.

    Args:
        path: the XML file.
        choose: names the class of a label, or of an attribute's value; None to pass over its shapes.
        label: take the shapes of this label only; None takes all.
        attribute: the attribute whose value is the class; None takes the label's name.

    Returns:
        The images in their order in the file, those without any shape included.

    Raises:
        InputError: a line for each fault: XML that is malformed or for video, a polygon of fewer than
            three points, coordinates that are no finite numbers, runs that do not add up to their box,
            a shape without the attribute, two images of one name; and if no shape at all is of `label`.
    """
    path = Path(path)
    faults: list[str] = []
    images: dict[str, Annotation] = {}
    for number, element in enumerate(_parse(path).iter("image"), start=1):
        name = element.get("name", "")
        if name in images:
            faults.append(
                f"{path}: image {number} has the name {name!r} of another one; remove one of the two"
            )
            continue
        images[name] = _read_image(path, name, element, _chooser(choose, label, attribute), faults)
    if not images:
        faults.append(f"{path}: has no <image>; export the task as 'CVAT for images 1.1'")
    others = Counter(kind for image in images.values() for kind in image.passed_over)
    if label is not None and others and not faults and not any(image.shapes for image in images.values()):
        met = shortlist([f"{kind} {count}" for kind, count in sorted(others.items())])
        faults.append(f"{path}: none of its shapes is of label {label!r} (it has {met}); mend `label`")
    raise_faults(faults)
    return list(images.values())


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


def _chooser(choose: Choose, label: str | None, attribute: str | None) -> Callable[[Any], str | None]:
    """A function that tells the class of a shape that is of the label."""

    def of_shape(shape: Any) -> str | None:
        name = shape.get("label", "")
        if label is not None and name != label:
            raise PassedOverError(f"label {name}")
        if attribute is None:
            return choose(name)
        values = {a.get("name"): (a.text or "").strip() for a in shape.iter("attribute")}
        if not values.get(attribute):
            raise InputError(f"has no attribute {attribute!r}; fill it in or mend `attribute`")
        return choose(values[attribute])

    return of_shape


def _read_image(
    path: Path, name: str, element: Any, choose: Callable[[Any], str | None], faults: list[str]
) -> Annotation:
    """One <image>."""
    where = f"{path}: image {name!r}"
    size = None
    try:
        sides = [element.get(side, "") for side in ("height", "width")]
        size = declared_size(*(int(side) if side.isdecimal() and len(side) < 10 else side for side in sides))
    except InputError as error:
        faults.append(f"{where}: {error}")

    def read(child: Any) -> tuple[str, Geometry] | None:
        if child.tag not in _READERS:
            raise PassedOverError(f"{child.tag:.30}")
        class_name = choose(child)
        return None if class_name is None else (class_name, _read_shape(child))

    places = (
        (f"shape {number} (a {child.tag:.30})", child)
        for number, child in enumerate(element, start=1)
        if child.tag != "tag"  # it says something of the image as a whole
    )
    shapes, passed_over = collect_shapes(places, read, where, faults)
    return Annotation(path, name, size, shapes, passed_over)


def _read_shape(element: Any) -> Geometry:
    try:
        return _READERS[element.tag](element)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"has a malformed number ({error}); draw it again") from None


def _read_polygon(element: Any) -> Polygon:
    pairs = [point.split(",") for point in element.get("points", "").split(";")]
    return Polygon(points_of([[float(x), float(y)] for x, y in pairs], fewest=3))


def _read_box(element: Any) -> Polygon:
    """A <box>, which may be turned clockwise about its centre, in degrees."""
    x0, y0, x1, y1 = (float(element.get(key)) for key in ("xtl", "ytl", "xbr", "ybr"))
    corners = points_of([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], fewest=4)
    angle = _angle(element)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    centre = corners.mean(axis=0)
    return Polygon((corners - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre)


def _read_ellipse(element: Any) -> Ellipse:
    """An <ellipse>, which may be turned likewise."""
    numbers = [[float(element.get(key)) for key in keys] for keys in (("cx", "cy"), ("rx", "ry"))]
    (x, y), radii = points_of(numbers, fewest=2)
    if min(radii) <= 0:
        raise InputError("has no area; draw it again")
    return Ellipse(float(x), float(y), (float(radii[0]), float(radii[1])), _angle(element))


def _angle(element: Any) -> float:
    ((angle, _),) = points_of([[float(element.get("rotation", 0)), 0]], fewest=1)
    return float(angle)


def _read_runs(element: Any) -> BoxRuns:
    """A <mask>: run lengths inside a box of its own."""
    left, top, width, height = (int(element.get(key)) for key in ("left", "top", "width", "height"))
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise InputError(f"has a box of {width} x {height} pixels; draw it again")
    points_of([[left, top]], fewest=1)
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
    """Write images with their masks, one at a time; the file appears as a whole.

    Args:
        path: the XML file.
        images: of `run_lengths.encode_image`; those without a mask are written as well.
        classes: their names, which the masks refer to.
        label: write every shape under this one label (the wrist study: Knochen) with the class as the
            value of `attribute`; None makes each class a label of its own.
        attribute: name of that attribute (Anatomie); goes with `label`.

    Raises:
        ValueError: one of `label` and `attribute` without the other.
    """
    if (label is None) != (attribute is None):
        raise ValueError("label and attribute go together")
    with atomic(path) as private, private.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        stream.write(_text(_meta(classes, label, attribute)))
        for number, image in enumerate(images):
            stream.write(_text(_image(number, image, classes, label, attribute)))
        stream.write("</annotations>\n")


def _meta(classes: Sequence[str], label: str | None, attribute: str | None) -> Element:
    """What CVAT tells of a task, as far as it matters here: its labels and their colours."""
    meta = Element("meta")
    task = SubElement(meta, "task")
    SubElement(task, "name").text = "samcarry"
    SubElement(task, "mode").text = "annotation"
    SubElement(task, "overlap").text = "0"
    labels = SubElement(task, "labels")
    names = classes if label is None else [label]
    for name, colour in zip(names, colours_of(len(names)), strict=True):
        entry = SubElement(labels, "label")
        SubElement(entry, "name").text = name
        SubElement(entry, "color").text = "#" + bytes(colour).hex()
        SubElement(entry, "type").text = "any"
        attributes = SubElement(entry, "attributes")
        if attribute is not None:
            _add_attribute(attributes, attribute, classes)
    return meta


def _add_attribute(attributes: Element, name: str, classes: Sequence[str]) -> None:
    """Add the attribute from whose values an annotator chooses the class."""
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
        told = {"label": label or name, "source": "auto", "occluded": "0", "rle": runs}
        shape = SubElement(element, "mask", {**told, **dict(box), "z_order": "0"})
        if attribute is not None:
            SubElement(shape, "attribute", {"name": attribute}).text = name
    return element


def _text(element: Element) -> str:
    indent(element)
    return tostring(element, encoding="unicode") + "\n"
