"""Writer of "CVAT for images 1.1" XML, which CVAT takes as annotations of a task with the same images.

A mask goes out as run lengths inside its own box, row by row and starting with background, so that
holes, parts and overlaps survive. CVAT finds an image by its name.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray

from samcarry.exporting import colours_of
from samcarry.files import atomic
from samcarry.run_lengths import EncodedImage, decode_box


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


def encode_runs(bitmap: NDArray[np.bool_]) -> list[int]:
    """A bitmap (height, width) -> run lengths, row by row and starting with background, maybe of none."""
    pixels = bitmap.ravel()
    ends = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff([0, *ends, pixels.size]).tolist()
    return [0, *runs] if pixels[0] else runs


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
    ElementTree.indent(element)
    return ElementTree.tostring(element, encoding="unicode") + "\n"
