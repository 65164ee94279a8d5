"""Shapes: entries are read, skipped or reported by their place; of bitmaps only the header is read."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from samcarry.errors import InputError
from samcarry.geometry.shapes import (
    Bitmap,
    LabelledShape,
    Polygon,
    SkippedShapeError,
    class_mapper,
    collect_shapes,
    make_bitmap,
    open_png,
    same_name,
)

TRIANGLE = Polygon(np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]))


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (width, height)).save(stream, format="PNG")
    return stream.getvalue()


def read(entry: str):
    """Read 'ulna' as a triangle, skip 'line', drop 'drop', refuse anything else."""
    if entry == "line":
        raise SkippedShapeError(entry)
    if entry == "drop":
        return None
    if entry != "ulna":
        raise InputError("is broken; draw it again")
    return entry, TRIANGLE


def test_entries_are_read_skipped_or_reported_by_their_place():
    faults = ["an earlier fault"]
    entries = [
        (f"shape {n}", kind) for n, kind in enumerate(["ulna", "line", "drop", "x", "line", "ulna"], 1)
    ]
    shapes, skipped = collect_shapes(entries, read, "a.json", faults)
    assert shapes == (
        LabelledShape("shape 1", "ulna", (TRIANGLE,)),
        LabelledShape("shape 6", "ulna", (TRIANGLE,)),
    )
    assert skipped == ("line", "line")
    assert faults == ["an earlier fault", "a.json: shape 4 is broken; draw it again"]


def test_a_mapper_sees_composed_names_and_refuses_what_cannot_be_a_file_name():
    mapper = class_mapper({"f\u00e9mur": "femur", "x": "a/b", "y": None}.get, "rename it in `classes`")
    assert mapper("fe\u0301mur") == "femur"
    assert mapper("y") is None
    with pytest.raises(InputError, match="class 'a/b', which cannot be a file name; rename it in `classes`"):
        mapper("x")
    assert same_name("fe\u0301mur") == "f\u00e9mur"


@pytest.mark.parametrize("name", ["Os capitatum", "骨", "a.b"])
def test_a_valid_class_keeps_its_name(name):
    assert same_name(name) == name


@pytest.mark.parametrize("name", ["", "a/b", "..", "a;b", " a", "a\n"])
def test_a_class_that_cannot_be_a_file_name_is_refused(name):
    with pytest.raises(InputError, match="cannot be a file name; rename"):
        same_name(name)


def test_the_origin_of_a_bitmap_is_the_pixel_that_contains_it():
    content = png(7, 5)
    assert make_bitmap(content, 2.9, -0.1) == Bitmap(content, left=2, top=-1, height=5, width=7)


def test_the_pixels_of_a_bitmap_are_not_decoded():
    header = struct.pack(">IIBBBBB", 7, 5, 8, 0, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", header), (b"IDAT", b"damaged"), (b"IEND", b""))
    )
    assert make_bitmap(b"\x89PNG\r\n\x1a\n" + chunks, 0, 0).width == 7


def test_other_files_than_png_are_refused():
    for content in (b"", b"no PNG", png(7, 5)[:20]):
        with pytest.raises(InputError, match="not a PNG"):
            open_png(content)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("side", "message"), [(10_001, "10001 x 10001 pixels"), (60_000, "not a PNG")])
def test_huge_bitmaps_are_refused(side, message):
    huge = bytearray(png(7, 5))
    header = struct.pack(">II", side, side) + huge[24:29]
    huge[16:33] = header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(InputError, match=message):
        make_bitmap(bytes(huge), 0, 0)
