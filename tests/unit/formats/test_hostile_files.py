"""Small files that would fill the memory or never end are refused by name, before decompression."""

import contextlib
import gzip
import json
import os
import resource
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from samcarry.errors import InputError
from samcarry.formats.class_tables import parse_class_table
from samcarry.formats.coco import read_coco
from samcarry.formats.cvat import read_cvat
from samcarry.formats.label_maps import read_label_map
from samcarry.formats.label_studio import read_label_studio
from samcarry.formats.labelme import read_labelme
from samcarry.formats.supervisely import read_supervisely
from samcarry.formats.via import read_via
from samcarry.images.grey import image_size, read_grey
from samcarry.images.masks import read_mask
from samcarry.networks.unet import UNet, load_unet
from samcarry.storage.model_files import write_model
from samcarry.storage.stacks import Stack, read_stack, write_stack
from support.coco_files import annotation, document
from support.dicom_files import write as write_dicom

MOST_MEMORY = 50_000_000  # bytes that a refusal may take
JSON_READERS = (read_coco, read_labelme, read_label_studio, read_supervisely, read_via)


def refused(read, path: Path) -> str:
    """The message; also checks that Python and NumPy allocate little memory."""
    assert path.stat().st_size < 3_000_000
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    (line,) = str(caught.value).splitlines()
    assert str(path) in line
    return line


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed_zeros(size: int) -> bytes:
    """`size` zero bytes, compressed to about a thousandth."""
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + packer.flush()


def png_bomb(path: Path, width: int, height: int) -> Path:
    """A PNG that declares width x height and decompresses to 200 MB of black pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", packed_zeros(200_000_000)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(100_000, 100_000), (100_000, 1_001), (2**31 - 1, 1)])
@pytest.mark.parametrize("read", [read_grey, image_size, read_mask, read_label_map])
def test_png_bombs(tmp_path, size, read):
    assert "more than 100,000,000 pixels" in refused(read, png_bomb(tmp_path / "a.png", *size))


def test_a_png_that_holds_fewer_pixels_than_it_declares(tmp_path):
    """Pillow would fill the missing pixels with black."""
    path = tmp_path / "a.png"
    header = struct.pack(">IIBBBBB", 9_000, 9_000, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9_001))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    for read in (read_grey, read_mask):
        assert "fewer pixels than its header" in refused(read, path)


def text_bomb(path: Path, kind: bytes) -> Path:
    """A PNG with a compressed text, or colour profile, of 200 MB."""
    Image.new("L", (4, 3)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:33] + chunk(kind, b"name\x00\x00" + packed_zeros(200_000_000)) + content[33:])
    return path


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_compressed_texts_in_a_png_are_not_decompressed(tmp_path, kind):
    path = text_bomb(tmp_path / "a.png", kind)
    tracemalloc.start()
    with contextlib.suppress(InputError):
        assert read_grey(path).shape == (3, 4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST_MEMORY


def tiff(path: Path, *tags: tuple[int, int, int, int]) -> Path:
    """A TIFF of 4 x 3 grey pixels whose tags are replaced or extended by (tag, type, count, value)."""
    own = {256: (3, 1, 4), 257: (3, 1, 3), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    own |= {273: (4, 1, 8), 277: (3, 1, 1), 278: (3, 1, 3), 279: (4, 1, 12)}
    own |= {tag: rest for tag, *rest in tags}
    entries = b"".join(struct.pack("<HHII", tag, *rest) for tag, rest in sorted(own.items()))
    directory = struct.pack("<H", len(own)) + entries + bytes(4)
    path.write_bytes(b"II*\x00" + struct.pack("<I", 20) + bytes(12) + directory)
    return path


@pytest.mark.parametrize(
    "tags",
    [
        [(256, 4, 1, 2**31 - 1), (257, 4, 1, 2**31 - 1)],  # four billion billion pixels
        [(256, 4, 1, 100_000), (257, 4, 1, 100_000)],
        [(256, 4, 1, 9_000), (257, 4, 1, 9_000)],  # a possible number, but the file does not hold them
        [(258, 3, 1, 64)],
        [(273, 4, 2**30, 8), (279, 4, 2**30, 12)],  # a billion strips
        [(278, 4, 1, 0)],
        [(277, 3, 1, 60_000)],
        [(259, 3, 1, 60_000)],
        [(279, 4, 1, 2**32 - 1), (273, 4, 1, 2**32 - 16)],  # a strip far beyond the end
    ],
)
def test_tiffs_with_absurd_tags(tmp_path, tags):
    refused(read_grey, tiff(tmp_path / "a.tif", *tags))


def test_the_tiff_without_these_tags_is_valid(tmp_path):
    assert read_grey(tiff(tmp_path / "a.tif")).shape == (3, 4)


def test_a_tiff_with_a_cycle_of_pages(tmp_path):
    content = tiff(tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[:-4] + struct.pack("<I", 20))
    assert read_grey(tmp_path / "a.tif").shape == (3, 4)  # the first page is read once


@pytest.mark.parametrize("read", JSON_READERS)
@pytest.mark.parametrize(
    "text", ['{"images": ' + "[" * 900_000, '{"a":' * 500_000, '{"images":' + "[" * 50_000 + "]" * 50_000]
)
def test_json_nested_without_end(tmp_path, read, text):
    (tmp_path / "a.json").write_text(text)
    assert "nested too deeply" in refused(read, tmp_path / "a.json")


@pytest.mark.parametrize("read", JSON_READERS)
def test_numbers_of_a_million_digits(tmp_path, read):
    (tmp_path / "a.json").write_text('{"images": [{"id": ' + "9" * 1_000_000 + "}]}")
    refused(read, tmp_path / "a.json")


@pytest.mark.parametrize(
    ("size", "counts", "message"),
    [
        ([5, 6], "o" * 100_000, "do not add up"),  # one number that never ends
        ([5, 6], "0" * 2_000_000, "do not add up"),
        ([5, 6], [10**9], "do not add up"),
        ([5, 6], [-(10**9), 10**9 + 30], "do not add up"),
        ([5, 6], [10**400], "do not add up"),
        ([31623, 31623], [10**9], "not a possible image size"),
        ([31623, 31623], "PTdQ", "not a possible image size"),
    ],
)
def test_run_lengths_that_declare_more_than_there_is(tmp_path, size, counts, message):
    content = document(annotation({"size": size, "counts": counts}))
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert message in refused(read_coco, tmp_path / "a.json")


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "ha">'
        + "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 9}">' for n in range(1, 9))
        + "]>",
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///dev/zero">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd">',
    ],
    ids=["billion laughs", "external entity", "external document type"],
)
def test_xml_with_entities(tmp_path, text):
    (tmp_path / "a.xml").write_text(text + "<annotations>&b;</annotations>")
    assert "declares a document type or entities" in refused(read_cvat, tmp_path / "a.xml")


def test_deflated_dicom(tmp_path):
    path = write_dicom(tmp_path / "a.dcm")
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.PixelData = bytes(200_000_000)
    dataset.save_as(path)
    for read in (read_grey, image_size):
        assert "is a deflated DICOM file" in refused(read, path)


@pytest.mark.parametrize(("rows", "columns"), [(65535, 65535), (10_001, 10_000)])
def test_dicom_that_declares_too_many_pixels(tmp_path, rows, columns):
    path = write_dicom(tmp_path / "a.dcm", Rows=rows, Columns=columns)
    assert "more than 100,000,000 pixels" in refused(read_grey, path)


def test_a_label_map_of_noise_is_refused_in_one_line(tmp_path):
    noise = np.frombuffer(os.urandom(3 * 90_000), np.uint8).reshape(300, 300, 3)
    Image.fromarray(noise).save(tmp_path / "a.png")
    table = parse_class_table({"#ff0000": "radius"}, "the table")
    assert "more; name them there" in refused(
        lambda path: read_label_map(path, table=table), tmp_path / "a.png"
    )


@pytest.mark.parametrize(
    "shape", [{"width": 50_000}, {"width": 10**30}, {"depth": 40}, {"depth": 10**9}, {"width": "2"}]
)
def test_models_that_declare_more_than_they_hold(tmp_path, shape):
    weights = UNet(2, width=2, depth=1).state_dict()
    about = {"classes": ["radius", "ulna"], "width": 2, "depth": 1}
    write_model(tmp_path / "a.safetensors", weights, about)
    assert load_unet(tmp_path / "a.safetensors")[0].width == 2
    write_model(tmp_path / "a.safetensors", weights, about | shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(load_unet, tmp_path / "a.safetensors")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + MOST_MEMORY / 1024


def test_a_stack_that_declares_more_than_it_holds(tmp_path):
    path = tmp_path / "a.nii.gz"
    write_stack(path, Stack(np.zeros((1, 1, 3, 4), np.uint8), "mask", ("a",), ("radius",)))
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[42:50] = struct.pack("<4h", 30_000, 30_000, 1, 1)
    path.write_bytes(gzip.compress(content))
    assert "truncated" in refused(read_stack, path)
