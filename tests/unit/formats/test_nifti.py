"""NIfTI masks: maps and channels, x before y; volumes, fractions and gzip bombs are refused in one line."""

import gzip
import struct
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from samcarry.errors import InputError
from samcarry.formats.class_tables import parse_class_table
from samcarry.formats.nifti import read_nifti, write_nifti
from samcarry.storage.stacks import read_stack
from support.drawn_annotations import drawn

NUMBERS = np.array([[0, 1, 1], [2, 2, 0]], np.uint8)  # (height, width)
NAMED = parse_class_table({"1": "radius", "2": "ulna"}, "the table")
MASKS = {"radius": (NUMBERS == 1).tolist(), "ulna": (NUMBERS == 2).tolist()}


def write(path, values=NUMBERS.T, kind=nib.Nifti1Image, slope=None):
    image = kind(values, np.eye(4))
    if slope is not None:
        image.header.set_slope_inter(slope, 0)
    nib.save(image, path)
    return path


def read(path, table=NAMED):
    (annotation,) = read_nifti(path, table=table)
    return {name: mask.tolist() for name, mask in drawn(annotation).items()}


def refused(path, table=NAMED):
    with pytest.raises(InputError) as caught:
        read_nifti(path, table=table)
    (line,) = str(caught.value).splitlines()
    assert str(path) in line
    return line


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("values", [NUMBERS.T, NUMBERS.T[..., None], NUMBERS.T.astype(np.float64)])
def test_a_map_of_one_slice_is_read_x_before_y(tmp_path, suffix, kind, values):
    path = write(tmp_path / f"a.b.{suffix}", values, kind)
    assert read(path) == MASKS
    assert [(a.name, a.size) for a in read_nifti(path)] == [("a.b", (2, 3))]


def test_without_a_table_numbers_are_class_names(tmp_path):
    assert list(read(write(tmp_path / "a.nii"), None)) == ["1", "2"]
    assert "value 2 (2 pixels" in refused(
        write(tmp_path / "b.nii"), parse_class_table({"1": "radius"}, "the table")
    )


@pytest.mark.parametrize("axes", [(2, 1, 0), (2, 1, None, 0), (2, 1, 0, None)])
def test_channels_are_classes_if_the_table_names_as_many(tmp_path, axes):
    channels = np.stack([NUMBERS == 1, NUMBERS == 2]).astype(np.uint8)
    values = channels.transpose(2, 1, 0)
    values = np.expand_dims(values, axes.index(None)) if None in axes else values
    assert read(write(tmp_path / "a.nii", values)) == MASKS
    line = refused(write(tmp_path / "b.nii", values), parse_class_table({"1": "radius"}, "the table"))
    assert "is a volume of 3 x 2 x " in line
    with pytest.raises(InputError, match=r"channel 1 .'radius'. holds 2"):
        read(write(tmp_path / "c.nii", values * 2))


@settings(max_examples=30)
@given(masks=arrays(bool, (3, 4, 6)), seed=st.integers(0, 9))
def test_our_own_export_is_read_back_unchanged(tmp_path_factory, masks, seed):
    path = tmp_path_factory.mktemp("there") / "a.nii.gz"
    names = [f"class {seed}", "ulna", "b"]
    write_nifti(path, masks, names, "a")
    expected = {name: mask.tolist() for name, mask in zip(names, masks, strict=True) if mask.any()}
    assert read(path, None) == expected


@pytest.mark.parametrize("classes", [1, 2])
def test_exports_of_few_classes_are_channels_too(tmp_path, classes):
    masks = np.stack([NUMBERS == 1, NUMBERS == 2])[:classes]
    write_nifti(tmp_path / "a.nii.gz", masks, ["radius", "ulna"][:classes], "a")
    assert read(tmp_path / "a.nii.gz", None) == dict(list(MASKS.items())[:classes])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 2, 9), np.uint8), "is a volume of 3 x 2 x 9"),
        (np.zeros((3, 2, 2, 2), np.uint8), "is a volume of 3 x 2 x 2 x 2"),
        (np.full((3, 2), np.nan), "NaN"),
        (np.full((3, 2), 0.5), "fractions"),
        (np.full((3, 2), -1, np.int16), "holds -1 to -1"),
        (np.full((3, 2), 70000, np.int32), "holds 70000 to 70000"),
        (np.zeros((3, 2), np.complex64), "of the type complex64"),
        (np.zeros(6, np.uint8), "not a possible image size"),
    ],
    ids=["3-D", "4-D", "NaN", "fractions", "negative", "large", "complex", "1-D"],
)
def test_other_images_than_masks_are_refused(tmp_path, values, message):
    assert message in refused(write(tmp_path / "a.nii.gz", values))


def test_probabilities_by_the_headers_scaling_are_refused(tmp_path):
    assert "fractions" in refused(write(tmp_path / "a.nii", slope=1 / 255))


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize("keep", [0, 1, 10, 40, -40, -1, -3])
def test_truncated_files_are_refused(tmp_path, suffix, keep):
    path = write(tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[:keep])
    refused(path)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"no NIfTI at all" * 99)
    assert "not a NIfTI file" in refused(tmp_path / "a.nii")
    assert "no such file" in refused(tmp_path / "none.nii")


def bomb(tmp_path, shape=(3, 2), offset=352.0, kind=np.uint8):
    """A .nii.gz of about 100 kB that decompresses to 100 MB, with a header of this shape, offset and type."""
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(kind)
    start = bytearray(header.binaryblock)
    start[108:112] = struct.pack("<f", offset)
    path = tmp_path / "bomb.nii.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(bytes(start) + b"\x00" * 4)
        for _ in range(100):
            stream.write(bytes(1_000_000))
    assert path.stat().st_size < 200_000
    return path


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        ("far larger than its header says", {}),
        ("not a possible image size", {"shape": (30_000, 30_000)}),
        ("more than 1,000,000,000 bytes", {"shape": (10_000, 10_000, 11)}),
        ("invalid data offset (byte 9e+07)", {"offset": 9e7}),
        ("is truncated", {"shape": (10_000, 10_000), "kind": np.int16}),
    ],
)
def test_gzip_bombs_are_refused(tmp_path, message, changes):
    assert message in refused(bomb(tmp_path, **changes))


CLASSES = ["Radius", "Os capitatum", "Zahn Ⅴ"]
# Arbitrary pixels, so holes, overlaps, single pixels and empty classes occur.
ANY_MASKS = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: arrays(bool, (3, *shape), elements=st.booleans(), fill=st.just(False))
)


@settings(max_examples=40)
@given(ANY_MASKS)
def test_written_nifti_is_read_back_as_a_stack_and_by_nibabel(masks):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nii.gz"
        write_nifti(path, masks, CLASSES, "a")
        np.testing.assert_array_equal(read_stack(path).masks[0], masks)
        assert read_stack(path).classes == tuple(CLASSES)
        values = np.asarray(nib.load(path).dataobj)
        np.testing.assert_array_equal(values[:, :, 0].transpose(2, 1, 0), masks)


@pytest.mark.parametrize(
    ("zooms", "unit", "expected"),
    [
        ((0.2, 0.14), "mm", (0.14, 0.2)),
        ((0.2, 0.14), "unknown", (0.14, 0.2)),
        ((0.0002, 0.00014), "meter", (0.14, 0.2)),
        ((200, 140), "micron", (0.14, 0.2)),
        ((1, 1), "mm", None),  # what programs write if they know nothing
    ],
)
def test_the_size_of_pixels_is_height_and_width_in_mm(tmp_path, zooms, unit, expected):
    image = nib.Nifti1Image(NUMBERS.T, np.diag([*zooms, 1, 1]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")
    (annotation,) = read_nifti(tmp_path / "a.nii")
    assert annotation.spacing == (expected and pytest.approx(expected))
