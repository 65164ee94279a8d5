"""3D Slicer's segmentations of one image (.seg.nrrd): reading and writing segments that may overlap.

The first axis is the column and the second the row, as in 3D Slicer and ITK; the patient orientation in the
header is ignored. Segments that overlap are in different layers, along an axis before the others.
"""

import gzip
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError, raise_faults
from samcarry.geometry.run_lengths import encode_mask, encode_runs
from samcarry.geometry.shapes import Annotation, BoxRuns, ClassMapper, Geometry, LabelledShape, same_name
from samcarry.images import MOST_PIXELS
from samcarry.images.colours import class_colours_8bit
from samcarry.storage.files import atomic
from samcarry.storage.reading import reading

NRRD_SUFFIXES = (".seg.nrrd", ".nrrd")
_MAX_BYTES = 1_000_000_000  # of the values, decompressed
_MAX_EXTRA = 10_000_000  # bytes after them
_MAX_HEADER = 10_000_000  # bytes
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
}


@dataclass(frozen=True)
class _Header:
    """Fields (`type: short`) and keys (`Segment0_Name:=radius`) of a file, and the position of its values."""

    fields: Mapping[str, str]
    keys: Mapping[str, str]
    end: int


@dataclass(frozen=True)
class _Segment:
    """The number of a segment in the file, its name, and the layer and value of its pixels."""

    number: int
    name: str
    layer: int
    value: int


def read_seg_nrrd(path: str | Path, map_class: ClassMapper = same_name) -> list[Annotation]:
    """Read a segmentation, which annotates the image of the same name.

    Args:
        path: a .seg.nrrd file with its values in the same file, plain or compressed with gzip.
        map_class: maps the name of a segment to a class, None to skip it.

    Returns:
        One annotation. Its size is not known if 3D Slicer has cut the segmentation to its contents.

    Raises:
        InputError: the file is missing, damaged, truncated, a volume, or far larger than its header says; its
            values are in another file, are not whole numbers, or belong to no segment.
    """
    path = Path(path)
    with reading(path, by_rule=False):
        content = path.read_bytes()
    try:
        header = _read_header(content)
        left, top = _offset(header)
        segments = _segments(header)
        values = _read_values(header, content)
        _check_values(values, segments)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    faults: list[str] = []
    shapes = []
    for segment in segments:
        mask = values[segment.layer] == segment.value
        try:
            class_name = map_class(segment.name) if mask.any() else None
        except InputError as error:
            faults.append(f"{path}: segment {segment.number} {error}")
            continue
        if class_name is not None:
            geometry: Geometry = encode_mask(mask)
            if (left, top) != (0, 0):
                geometry = BoxRuns(tuple(encode_runs(mask)), left, top, *mask.shape)
            shapes.append(LabelledShape(f"segment {segment.number}", class_name, (geometry,)))
    raise_faults(faults)
    size = (values.shape[1], values.shape[2]) if (left, top) == (0, 0) else None
    name = path.name[: -len(".nrrd")] if path.name.lower().endswith(".nrrd") else path.name
    name = name[: -len(".seg")] if name.lower().endswith(".seg") else name
    return [Annotation(path, name, size, tuple(shapes), spacing=_spacing(header))]


def _read_header(content: bytes) -> _Header:
    """The header; the message of an error continues the file's name."""
    if not content:
        raise InputError("the file is empty; save it again")
    if not re.match(rb"NRRD000[1-9]\r?\n", content):
        raise InputError("is not an NRRD file; save it as a segmentation in 3D Slicer")
    blank = re.compile(rb"\r?\n\r?\n").search(content, 0, _MAX_HEADER)
    if blank is None:
        raise InputError("has no end of its header; save it again")
    try:
        lines = content[: blank.start()].decode("utf-8").splitlines()[1:]
    except UnicodeDecodeError:
        raise InputError("has a header that is not UTF-8 text; save it again") from None
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for line in lines:
        if line.startswith("#"):
            continue
        key, sign, value = line.partition(":=")
        if sign:
            keys[key] = re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), value)
            continue
        key, sign, value = line.partition(": ")
        if not sign:
            raise InputError(f"has the header line {line!r:.60}, which is not a field; save it again")
        fields[key.strip().lower()] = value.strip()
    return _Header(fields, keys, blank.end())


def _sizes(header: _Header) -> tuple[int, int, int]:
    """Layers, height and width."""
    sides = _whole_numbers(header.fields.get("sizes", ""))
    if header.fields.get("kinds", "").lower().split()[:1] == ["list"]:
        layers, *sides = sides or [0]
    else:
        layers = 1
    if len(sides) == 2:
        sides = [*sides, 1]
    if len(sides) != 3 or min(layers, *sides) < 1 or sides[0] * sides[1] > MOST_PIXELS:
        raise InputError(
            f"has the size {header.fields.get('sizes')!r:.60}, not that of an image; save it again"
        )
    if sides[2] != 1:
        raise InputError(
            f"is a volume of {' x '.join(map(str, sides))}; export the segmentation of one slice"
        )
    return layers, sides[1], sides[0]


def _whole_numbers(text: str) -> list[int]:
    words = text.split()
    if not words or not all(re.fullmatch(r"-?[0-9]{1,9}", word) for word in words):
        raise InputError(f"has {text!r:.60} instead of whole numbers in its header; save it again")
    return [int(word) for word in words]


def _read_values(header: _Header, content: bytes) -> NDArray[np.integer]:
    """The values (layer, height, width), of which no more is decompressed than the header declares."""
    layers, height, width = _sizes(header)
    fields = header.fields
    kind = _TYPES.get(fields.get("type", "").lower())
    if kind is None:
        raise InputError(f"holds values of the type {fields.get('type')!r:.30}; save it with 8 or 16 bits")
    if any(key in fields for key in ("data file", "datafile")):
        raise InputError("has its values in another file; save it as one file (.seg.nrrd)")
    if any(fields.get(key, "0") != "0" for key in ("line skip", "lineskip", "byte skip", "byteskip")):
        raise InputError("skips a part of its values; save it again")
    order = {"little": "<", "big": ">"}.get(fields.get("endian", "little").lower())
    encoding = fields.get("encoding", "").lower()
    if order is None or encoding not in ("raw", "gzip", "gz"):
        raise InputError(
            f"has the encoding {encoding!r:.30}; save it in 3D Slicer, with or without compression"
        )
    dtype = np.dtype(order + kind)
    wanted = layers * height * width * dtype.itemsize
    if wanted > _MAX_BYTES:
        raise InputError(f"holds more than {_MAX_BYTES:,} bytes of values; save it with 8 bits")
    values = content[header.end :]
    if encoding != "raw":
        try:
            values = zlib.decompressobj(31).decompress(values, wanted + _MAX_EXTRA)
        except zlib.error as error:
            raise InputError(f"is damaged ({error}); save it again") from None
    if len(values) < wanted:
        raise InputError("is truncated; save it again")
    if len(values) >= wanted + _MAX_EXTRA:
        raise InputError("is far larger than its header says; save it again")
    # The first axis changes fastest: layers if there are several, then columns.
    return np.moveaxis(np.frombuffer(values[:wanted], dtype).reshape(height, width, layers), 2, 0)


def _segments(header: _Header) -> list[_Segment]:
    numbers = sorted(
        int(match[1]) for key in header.keys if (match := re.fullmatch(r"Segment([0-9]{1,5})_Name", key))
    )
    if not numbers:
        raise InputError("names no segment; save it as a segmentation (.seg.nrrd), not as a label map")
    layers, _, _ = _sizes(header)
    found = []
    for number in numbers:
        # Files of 2018 and before have a layer for each segment.
        layer, value = (
            _whole_numbers(header.keys.get(f"Segment{number}_{key}", default))[0]
            for key, default in (("Layer", str(number)), ("LabelValue", "1"))
        )
        if not 0 <= layer < layers or value == 0:
            raise InputError(
                f"has no layer {layer} with the value {value} for segment {number}; save it again"
            )
        found.append(_Segment(number, header.keys[f"Segment{number}_Name"], layer, value))
    return found


def _check_values(values: NDArray[np.integer], segments: Sequence[_Segment]) -> None:
    known = {(segment.layer, segment.value) for segment in segments}
    for layer, layer_values in enumerate(values):
        for value in np.unique(layer_values).tolist():
            if value and (layer, value) not in known:
                raise InputError(
                    f"holds the value {value} in layer {layer}, which no segment has; save it again"
                )


def _offset(header: _Header) -> tuple[int, int]:
    """Column and row of the image in which the values begin: 3D Slicer may cut off what is empty."""
    text = header.keys.get("Segmentation_ReferenceImageExtentOffset", "0 0 0")
    left, top, *_ = [*_whole_numbers(text), 0]
    if max(abs(left), abs(top)) > MOST_PIXELS:
        raise InputError(f"begins far outside the image ({text!r:.40}); save it again")
    return left, top


def _spacing(header: _Header) -> tuple[float, float] | None:
    """(height, width) of a pixel in mm; None if the header does not say, or says 1 × 1 as by default."""
    number = r"[-+0-9.eE]+"
    vectors = re.findall(rf"\(({number}),({number}),({number})\)", header.fields.get("space directions", ""))
    try:
        width, height = (math.hypot(*map(float, vector)) for vector in vectors[:2])
    except ValueError:
        return None
    if (height, width) == (1, 1) or not all(0 < size < math.inf for size in (height, width)):
        return None
    return height, width


def write_seg_nrrd(
    path: str | Path,
    masks: NDArray[np.bool_],
    classes: Sequence[str],
    spacing: tuple[float, float] | None = None,
) -> None:
    """Write masks (class, height, width) as a segmentation with one segment for each class, atomically.

    Each class is in the first layer in which it overlaps none of the classes before it; its value is its
    number, from 1. Equal masks give equal bytes. `spacing` is the height and width of a pixel in mm.
    """
    layers: list[NDArray[np.uint16]] = []
    layer_of = []
    for number, mask in enumerate(masks, start=1):
        layer = next((index for index, values in enumerate(layers) if not values[mask].any()), len(layers))
        if layer == len(layers):
            layers.append(np.zeros(mask.shape, np.uint16))
        layers[layer][mask] = number
        layer_of.append(layer)
    values = np.stack(layers, axis=-1)
    if len(classes) < 256:
        values = values.astype(np.uint8)
    high, wide = spacing or (1.0, 1.0)
    _, height, width = masks.shape
    several = len(layers) > 1
    lines = [
        "NRRD0004",
        f"type: {'unsigned char' if values.dtype == np.uint8 else 'unsigned short'}",
        f"dimension: {4 if several else 3}",
        "space: left-posterior-superior",
        f"sizes: {f'{len(layers)} ' if several else ''}{width} {height} 1",
        f"space directions: {'none ' if several else ''}({wide:.9g},0,0) (0,{high:.9g},0) (0,0,1)",
        f"kinds: {'list ' if several else ''}domain domain domain",
        "endian: little",
        "encoding: gzip",
        "space origin: (0,0,0)",
    ]
    colours = class_colours_8bit(len(classes))
    for index, (name, colour) in enumerate(zip(classes, colours, strict=True)):
        about = {
            "Color": " ".join(f"{part / 255:.6g}" for part in colour),
            "Extent": f"0 {width - 1} 0 {height - 1} 0 0",
            "ID": f"Segment_{index + 1}",
            "LabelValue": str(index + 1),
            "Layer": str(layer_of[index]),
            "Name": name,
        }
        lines += [f"Segment{index}_{key}:={value}" for key, value in about.items()]
    lines += [
        "Segmentation_ContainedRepresentationNames:=Binary labelmap|",
        "Segmentation_MasterRepresentation:=Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset:=0 0 0",
    ]
    packed = gzip.compress(values.astype(values.dtype.newbyteorder("<")).tobytes(), mtime=0)
    with atomic(path) as private:
        private.write_bytes(("\n".join(lines) + "\n\n").encode() + packed)
