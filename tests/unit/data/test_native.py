"""Predictions beside label files at the images' own size, and the size of their pixels."""

import numpy as np
import pytest
from PIL import Image

from samcarry.data.contract import parse_spacing
from samcarry.data.label_masks import labels_digest
from samcarry.data.native import (
    PIXELS,
    NativeSize,
    native_masks,
    native_sizes,
    read_sizes,
    shapes_of,
    write_sizes,
)
from samcarry.errors import DamagedError, InputError
from samcarry.images.masks import mask_at_size
from samcarry.storage.stacks import Stack, write_stack
from support.dicom_files import write as write_dicom

CLASSES = ("Radius", "Ulna")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.14", (0.14, 0.14)), ("0.14 0.2", (0.14, 0.2)), ("0.14;0.2", (0.14, 0.2)), (" 1 ", (1, 1))],
)
def test_a_spacing_is_one_number_or_height_and_width(text, expected):
    assert parse_spacing(text) == expected


@pytest.mark.parametrize("text", ["0,14", "0", "-1", "0.1 0.1 0.1", "nan", "inf", "1e9", "mm", ";"])
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(InputError, match="is not one or two numbers above 0; write mm per pixel") as caught:
        parse_spacing(text)
    assert "\n" not in str(caught.value)


# ---- sizes ----------------------------------------------------------------------------------------


@pytest.fixture
def images(tmp_path):
    """A PNG and a DICOM image of 3 × 2 pixels (width × height); the DICOM says 0.1 × 0.2 mm."""
    Image.new("L", (3, 2)).save(tmp_path / "plain.png")
    write_dicom(tmp_path / "dicom.dcm", PixelSpacing=[0.1, 0.2])
    return {"plain": tmp_path / "plain.png", "dicom": tmp_path / "dicom.dcm"}


def one(images, case):
    return {case: images[case]}


def sizes_of(images, *, given=None, default=None, sources=None):
    return native_sizes(images, sources or {}, given or {}, default)


def test_a_size_is_height_and_width_and_a_spacing_is_that_of_the_header(images):
    assert sizes_of(one(images, "dicom")) == {"dicom": NativeSize(2, 3, (0.1, 0.2))}
    assert sizes_of(one(images, "plain")) == {"plain": NativeSize(2, 3, None)}


@pytest.mark.parametrize(("default", "expected"), [(0.5, (0.5, 0.5)), ([0.5, 0.7], (0.5, 0.7)), (2, (2, 2))])
def test_the_config_gives_the_spacing_of_images_that_do_not_say(images, default, expected):
    found = sizes_of(images, default=default)
    assert (found["plain"].spacing, found["dicom"].spacing) == (expected, (0.1, 0.2))


def test_cases_csv_takes_precedence(images):
    found = sizes_of(images, given={"dicom": "0.3", "plain": "0.4 0.5"}, default=9)
    assert (found["plain"].spacing, found["dicom"].spacing) == ((0.4, 0.5), (0.3, 0.3))


def test_an_imported_image_has_the_spacing_of_the_users_own_file(images):
    found = sizes_of(one(images, "plain"), sources={"plain": images["dicom"]})
    assert found == {"plain": NativeSize(2, 3, (0.1, 0.2))}


def test_a_spacing_that_is_known_for_some_images_only_is_refused_in_one_line(images):
    with pytest.raises(InputError) as caught:
        sizes_of(images)
    text = str(caught.value)
    assert "known for 1 of the 2 evaluated cases, but not for plain" in text
    assert "set evaluation.spacing to pixels" in text
    assert "\n" not in text


def test_pixels_may_be_the_unit_whatever_is_known(images):
    found = sizes_of(images, given={"plain": "0.4"}, default=PIXELS)
    assert {size.spacing for size in found.values()} == {None}


def test_every_image_that_cannot_be_read_is_named(images, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    with pytest.raises(InputError) as caught:
        sizes_of({"one": tmp_path / "bad.png", "two": tmp_path / "gone.png"})
    assert len(str(caught.value).splitlines()) == 2


def test_sizes_can_be_read_back(tmp_path):
    sizes = {"a": NativeSize(3, 4, (0.1, 0.25)), "b, c": NativeSize(5, 6, None)}
    write_sizes(tmp_path / "sizes.csv", sizes)
    assert read_sizes(tmp_path / "sizes.csv") == sizes


@pytest.mark.parametrize("row", ["a,x,4,,", "a,3,4,0.1,"])
def test_a_damaged_table_of_sizes_is_named(tmp_path, row):
    (tmp_path / "sizes.csv").write_text(f"case,height,width,row_mm,column_mm\n{row}\n")
    with pytest.raises(DamagedError, match=r"sizes\.csv: this table is damaged"):
        read_sizes(tmp_path / "sizes.csv")


# ---- masks ----------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    """Labels of two cases of different size, and probabilities at 8 × 8 of these and an unlabelled case."""
    shapes = {"wide": (20, 40), "high": (33, 21)}
    generator = np.random.default_rng(0)
    files, digests = [], {}
    for case, shape in shapes.items():
        folder = tmp_path / "labels" / case
        folder.mkdir(parents=True)
        mask = np.zeros(shape, np.uint8)
        mask[3:9, 5:12] = 255
        Image.fromarray(mask).save(folder / "Ulna.png")
        files.append(folder / "Ulna.png")
        digests[case] = labels_digest({"Ulna": folder / "Ulna.png"})
    values = generator.integers(0, 256, (3, 2, 8, 8)).astype(np.uint8)
    values[1, 0] = 0
    stack = Stack(values, "probability", ("wide", "unlabelled", "high"), CLASSES)
    write_stack(tmp_path / "test-0000.nii.gz", stack)
    sizes = {case: NativeSize(*shape, (0.2, 0.1)) for case, shape in shapes.items()}
    return tmp_path / "test-0000.nii.gz", files, digests, sizes, values


def test_predictions_are_put_back_to_the_size_of_each_image_as_in_exports(study):
    path, files, digests, sizes, values = study
    wide, high = native_masks([path], files, digests, sizes)
    assert (wide.case, high.case, wide.classes) == ("wide", "high", CLASSES)
    assert wide.predicted.shape == wide.reference.shape == (2, 20, 40)
    assert high.predicted.shape == (2, 33, 21)
    for index, of_class in enumerate(values[2]):
        np.testing.assert_array_equal(high.predicted[index], mask_at_size(of_class, 33, 21))
    assert high.spacing == (0.2, 0.1)


def test_references_are_the_label_files_themselves(study):
    path, files, digests, sizes, _ = study
    for masks in native_masks([path], files, digests, sizes):
        expected = np.zeros(masks.reference.shape, bool)
        expected[1, 3:9, 5:12] = True
        np.testing.assert_array_equal(masks.reference, expected)


def test_the_largest_probability_of_a_class_is_that_at_network_size(study):
    path, files, digests, sizes, values = study
    wide, _ = native_masks([path], files, digests, sizes)
    assert wide.probability.tolist() == (values[0].max(axis=(1, 2)) / 255).tolist()


def test_masks_are_enlarged_like_probabilities_and_have_no_probability(study, tmp_path):
    _, files, digests, sizes, _ = study
    masks = np.zeros((1, 2, 8, 8), np.uint8)
    masks[0, 0, 2:5, 2:6] = 1
    write_stack(tmp_path / "masks.nii.gz", Stack(masks, "mask", ("wide",), CLASSES))
    (found,) = native_masks([tmp_path / "masks.nii.gz"], files, digests, sizes)
    np.testing.assert_array_equal(found.predicted[0], mask_at_size(masks[0, 0] * 255, 20, 40))
    assert found.probability is None


def test_a_case_whose_labels_are_all_absent_has_empty_references(study):
    path, _, _, sizes, _ = study
    nothing = dict.fromkeys(sizes, labels_digest({}))
    assert not any(masks.reference.any() for masks in native_masks([path], [], nothing, sizes))


def test_labels_that_changed_since_the_checks_are_refused(study):
    path, files, digests, sizes, _ = study
    with pytest.raises(InputError, match="not those that the input checks read"):
        list(native_masks([path], files, digests | {"wide": "other"}, sizes))


def test_shapes_are_those_of_the_written_sizes(tmp_path):
    write_sizes(tmp_path / "a.csv", {"x": NativeSize(30, 40, None), "y": NativeSize(5, 6, (0.1, 0.2))})
    assert shapes_of(tmp_path / "a.csv") == {"x": (30, 40), "y": (5, 6)}
    assert shapes_of(None) == {}
