"""3D Slicer's segmentations: layers, offsets and old files are read; ITK reads what is written."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from samcarry.errors import InputError
from samcarry.formats.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from samcarry.geometry.rasterise import draw_masks
from support.drawn_annotations import drawn

CLASSES = ("radius", "ulna", "Os – 骨")
MASKS = np.zeros((3, 5, 6), bool)
MASKS[0, 1:4, 1:4] = MASKS[1, 2:5, 3:5] = True  # they overlap
MASKS[2, 0, 5] = True

# As 3D Slicer 5 writes it, on one layer.
HEADER = """NRRD0004
# Complete NRRD file format specification at:
# http://teem.sourceforge.net/nrrd/format.html
type: unsigned char
dimension: 3
space: left-posterior-superior
sizes: 4 3 1
space directions: (0.5,0,0) (0,0.25,0) (0,0,1)
kinds: domain domain domain
encoding: gzip
space origin: (0,0,0)
Segment0_Color:=0.501961 0.682353 0.501961
Segment0_Extent:=0 1 0 2 0 0
Segment0_ID:=Segment_1
Segment0_LabelValue:=1
Segment0_Layer:=0
Segment0_Name:=ulna
Segment1_LabelValue:=2
Segment1_Layer:=0
Segment1_Name:=radius
Segmentation_ReferenceImageExtentOffset:=0 0 0
"""
VALUES = np.array([[1, 1, 0, 2], [1, 0, 0, 2], [1, 0, 0, 0]], np.uint8)


def save(
    folder: Path, *changes: tuple[str, str], values: bytes | None = None, name: str = "a.seg.nrrd"
) -> Path:
    header = HEADER
    for old, new in changes:
        assert old in header
        header = header.replace(old, new)
    path = folder / name
    path.write_bytes(
        header.encode() + b"\n" + (gzip.compress(VALUES.tobytes()) if values is None else values)
    )
    return path


@pytest.mark.parametrize("change", [None, ("encoding: gzip", "encoding: raw")])
@pytest.mark.parametrize("name", ["a.seg.nrrd", "a.nrrd", "a.SEG.NRRD"])
def test_a_segmentation_of_one_layer(tmp_path, change, name):
    raw = change and VALUES.tobytes()
    (read,) = read_seg_nrrd(save(tmp_path, *([change] if change else []), values=raw, name=name))
    assert (read.name, read.size, read.spacing) == ("a", (3, 4), (0.25, 0.5))
    for name, value in (("ulna", 1), ("radius", 2)):
        np.testing.assert_array_equal(drawn(read)[name], value == VALUES)


def test_values_may_have_16_bits_in_any_order(tmp_path):
    for order, sign in (("little", "<"), ("big", ">")):
        change = ("type: unsigned char", f"type: short\nendian: {order}")
        (read,) = read_seg_nrrd(
            save(tmp_path, change, values=gzip.compress(VALUES.astype(f"{sign}i2").tobytes()))
        )
        np.testing.assert_array_equal(drawn(read)["radius"], VALUES == 2)


def test_a_segmentation_that_was_cut_to_its_contents(tmp_path):
    (read,) = read_seg_nrrd(save(tmp_path, ("Offset:=0 0 0", "Offset:=2 1 0")))
    assert read.size is None
    masks = draw_masks(read, 9, 8, [])
    expected = np.zeros((9, 8), bool)
    expected[1:4, 2:6] = VALUES == 2
    np.testing.assert_array_equal(masks["radius"], expected)


def test_old_files_have_a_layer_for_each_segment(tmp_path):
    path = save(
        tmp_path,
        ("sizes: 4", "sizes: 2 4"),
        ("kinds: domain", "kinds: list domain"),
        ("Segment0_Layer:=0\n", ""),
        ("Segment1_Layer:=0\n", ""),
        ("Segment0_LabelValue:=1\n", ""),
        ("Segment1_LabelValue:=2\n", ""),
        values=gzip.compress(np.stack([VALUES > 0, VALUES == 2], axis=-1).astype(np.uint8).tobytes()),
    )
    (read,) = read_seg_nrrd(path)
    np.testing.assert_array_equal(drawn(read)["ulna"], VALUES > 0)
    np.testing.assert_array_equal(drawn(read)["radius"], VALUES == 2)


@pytest.mark.parametrize("spacing", [None, (0.25, 0.5)])
def test_itk_reads_what_is_written(tmp_path, spacing):
    path = tmp_path / "a.seg.nrrd"
    write_seg_nrrd(path, MASKS, CLASSES, spacing)
    image = SimpleITK.ReadImage(str(path))
    values = SimpleITK.GetArrayFromImage(image)
    assert values.shape == (1, 5, 6, 2)  # slice, row, column, layer
    for number, name in enumerate(CLASSES):
        about = {key: image.GetMetaData(f"Segment{number}_{key}") for key in ("Name", "Layer", "LabelValue")}
        if name.isascii():
            assert about["Name"] == name
        mask = values[0, ..., int(about["Layer"])] == int(about["LabelValue"])
        np.testing.assert_array_equal(mask, MASKS[number])
    assert image.GetSpacing()[:2] == ((0.5, 0.25) if spacing else (1, 1))
    (read,) = read_seg_nrrd(path)
    assert (read.spacing, read.size) == (spacing, (5, 6))


def test_equal_masks_give_equal_bytes_and_many_classes_16_bits(tmp_path):
    masks = np.eye(300, dtype=bool).reshape(300, 15, 20)
    names = [f"c{number}" for number in range(300)]
    for name in ("a.seg.nrrd", "b.seg.nrrd"):
        write_seg_nrrd(tmp_path / name, masks, names)
    assert (tmp_path / "a.seg.nrrd").read_bytes() == (tmp_path / "b.seg.nrrd").read_bytes()
    (read,) = read_seg_nrrd(tmp_path / "a.seg.nrrd")
    np.testing.assert_array_equal(drawn(read)["c299"], masks[299])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([("NRRD0004", "NIFTI")], "not an NRRD file"),
        ([("sizes: 4 3 1", "sizes: 4 3 2")], "is a volume of 4 x 3 x 2"),
        ([("sizes: 4 3 1", "sizes: 4 -3 1")], "not that of an image"),
        ([("sizes: 4 3 1", "sizes: 40000 30000 1")], "not that of an image"),
        ([("sizes: 4 3 1", "sizes: four")], "instead of whole numbers"),
        ([("sizes: 4 3 1", "sizes 4 3 1")], "is not a field"),
        ([("sizes: 4 3 1", "sizes: 5 3 1")], "is truncated"),
        ([("unsigned char", "float")], "values of the type 'float'"),
        ([("encoding: gzip", "encoding: bzip2")], "the encoding 'bzip2'"),
        ([("encoding: gzip", "encoding: gzip\ndata file: /etc/passwd")], "values in another file"),
        ([("encoding: gzip", "encoding: gzip\nbyte skip: -1")], "skips a part"),
        ([("Layer:=0\nSegment0_Name", "Layer:=1\nSegment0_Name")], "no layer 1"),
        ([("Segment1_LabelValue:=2", "Segment1_LabelValue:=3")], "value 2 in layer 0, which no segment has"),
        ([("Segment0_Name:=ulna", "Segment0_Name:=a/b")], "segment 0 has the class 'a/b'"),
        ([("Segment0_Name", "a"), ("Segment1_Name", "b")], "names no segment"),
        ([("Offset:=0 0 0", "Offset:=999999999 0 0")], "far outside the image"),
        ([("ulna", "ulna\n\n")], "is damaged"),  # the rest of the header is taken for values
    ],
)
def test_a_broken_file_is_named(tmp_path, changes, fault):
    path = save(tmp_path, *changes)
    with pytest.raises(InputError) as caught:
        read_seg_nrrd(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: ")
    assert fault in line
    assert "; " in line


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    with pytest.raises(InputError, match="far larger than its header says"):
        read_seg_nrrd(save(tmp_path, values=bomb))


@pytest.mark.parametrize("content", [b"", b"NRRD0004\n" + b"a: b\n" * 9, b"NRRD0004\n\xff\n\n"])
def test_headers_that_do_not_end_are_refused(tmp_path, content):
    (tmp_path / "a.nrrd").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.nrrd: .*; save it again"):
        read_seg_nrrd(tmp_path / "a.nrrd")
