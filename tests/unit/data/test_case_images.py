"""Images and labels of single cases: prepared ones from stacks, original ones from their files."""

import numpy as np
import pytest

from samcarry.data.case_images import image_reader, label_reader
from samcarry.data.image_digests import image_digest
from samcarry.data.label_masks import files_by_case, labels_digest
from samcarry.errors import DamagedError, InputError
from samcarry.images.grey import write_grey
from samcarry.images.text import mask_text
from samcarry.storage.stacks import Stack, write_stack
from support.burned_text import burn, radiograph


def drawn(seed, shape):
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


def test_prepared_images_of_several_stacks_are_found_by_case(tmp_path):
    values = drawn(0, (3, 8, 6))
    for name, part, cases in (("a", values[:2], ("x", "y")), ("b", values[2:], ("z",))):
        write_stack(tmp_path / f"{name}.nii.gz", Stack(part, "image", cases))
    image_of = image_reader([str(tmp_path / "a.nii.gz"), str(tmp_path / "b.nii.gz")], None, None, None)
    assert all((image_of(case) == image).all() for case, image in zip("xyz", values, strict=True))


def test_original_images_keep_their_sizes_and_are_windowed_as_prepared_ones(tmp_path):
    images = {"x": drawn(1, (8, 6)) // 4, "y": drawn(2, (30, 5)) // 4}
    for case, image in images.items():
        write_grey(tmp_path / f"{case}.png", image)
    paths = [str(tmp_path / f"{case}.png") for case in images]
    digests = [image_digest(path) for path in paths]
    plain, windowed = (image_reader(paths, list(images), digests, window) for window in (None, (0, 100)))
    for case, image in images.items():
        assert (plain(case) == image).all()
        assert windowed(case).shape == image.shape
        assert (windowed(case).min(), windowed(case).max()) == (0, 255)


def test_text_in_original_images_is_filled_if_asked(tmp_path):
    burned = burn(radiograph(), "DOE, Maria", (8, 8))
    write_grey(tmp_path / "x.png", burned)
    path, digests = str(tmp_path / "x.png"), [image_digest(tmp_path / "x.png")]
    assert (image_reader([path], ["x"], digests, None)("x") == burned).all()
    assert (
        image_reader([path], ["x"], digests, None, text_masked=True)("x") == mask_text(burned, True)[0]
    ).all()


def test_an_original_image_is_not_read_before_it_is_needed(tmp_path):
    image_of = image_reader([str(tmp_path / "missing.png")], ["x"], ["0"], None)
    with pytest.raises(InputError, match=r"missing\.png"):
        image_of("x")


def test_an_original_image_that_was_replaced_after_the_input_checks_is_refused(tmp_path):
    path = tmp_path / "x.png"
    write_grey(path, drawn(1, (8, 6)))
    image_of = image_reader([str(path)], ["x"], [image_digest(path)], None)
    write_grey(path, drawn(2, (8, 6)))
    with pytest.raises(InputError, match=r"x\.png: .*not the one that the input checks read; run again"):
        image_of("x")


def test_a_damaged_stack_is_named(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"x")
    with pytest.raises(DamagedError, match=r"a\.nii\.gz"):
        image_reader([str(tmp_path / "a.nii.gz")], None, None, None)


# ---- labels ---------------------------------------------------------------------------------


def write_labels(folder, masks_of):
    """Label files below `folder`, as <case>/<class>.png."""
    for case, masks in masks_of.items():
        for name, mask in masks.items():
            (folder / case).mkdir(parents=True, exist_ok=True)
            write_grey(folder / case / f"{name}.png", mask.astype(np.uint8) * 255)
    return sorted(folder.glob("*/*.png"), reverse=True)


def reader(paths, classes, *others):
    """A reader of label files as they are now; `others` are cases without a file."""
    files = {case: {} for case in others} | files_by_case(paths)
    digests = {case: labels_digest(of_case) for case, of_case in files.items()}
    return label_reader(map(str, paths), classes, digests)


def test_labels_of_files_have_full_size_and_the_order_of_the_classes(tmp_path):
    x = {"ulna": drawn(1, (8, 6)) > 99, "radius": drawn(2, (8, 6)) > 99}
    y = {"ulna": drawn(3, (30, 5)) > 99}
    masks_of = reader(write_labels(tmp_path, {"x": x, "y": y}), ["ulna", "skull", "radius"])
    assert masks_of("x").dtype == bool
    absent = np.zeros((8, 6), bool)
    assert np.array_equal(masks_of("x"), np.stack([x["ulna"], absent, x["radius"]]))
    assert np.array_equal(masks_of("y")[0], y["ulna"])
    assert not masks_of("y")[1:].any()


def test_labels_with_any_suffix_and_unicode_form_are_found_by_name(tmp_path):
    (tmp_path / "ge\u0301nou").mkdir()
    mask = drawn(1, (8, 6)) > 99
    path = tmp_path / "ge\u0301nou" / "fe\u0301mur.png"
    write_grey(path, mask.astype(np.uint8))
    masks_of = reader([path.rename(path.with_suffix(".PNG"))], ["f\u00e9mur"])
    assert np.array_equal(masks_of("g\u00e9nou"), mask[None])


def test_a_labelled_case_may_have_no_file(tmp_path):
    paths = write_labels(tmp_path, {"x": {"ulna": drawn(1, (8, 6)) > 99}})
    masks = reader(paths, ["radius", "ulna"], "empty")("empty")
    assert len(masks) == 2
    assert not masks.any()


def test_a_label_file_is_not_read_before_it_is_needed(tmp_path):
    masks_of = label_reader([str(tmp_path / "x/ulna.png")], ["ulna"], {"x": "0"})
    with pytest.raises(InputError, match=r"ulna\.png"):
        masks_of("x")


def test_labels_that_changed_after_the_input_checks_are_refused(tmp_path):
    paths = write_labels(tmp_path, {"x": {"ulna": drawn(1, (8, 6)) > 99}})
    masks_of = reader(paths, ["ulna"])
    write_labels(tmp_path, {"x": {"ulna": drawn(2, (8, 6)) > 99}})
    with pytest.raises(InputError, match=r"x: these labels are not those that the input checks read"):
        masks_of("x")


def test_labels_of_stacks_are_all_classes_of_the_case(tmp_path):
    values = (drawn(4, (3, 2, 8, 6)) > 99).astype(np.uint8)
    values[1, 0] = 0
    for name, part, cases in (("a", values[:2], ("x", "y")), ("b", values[2:], ("z",))):
        write_stack(tmp_path / f"{name}.nii.gz", Stack(part, "mask", cases, ("radius", "ulna")))
    masks_of = label_reader([str(tmp_path / "a.nii.gz"), str(tmp_path / "b.nii.gz")], ["ulna", "radius"], {})
    for case, expected in zip("xyz", values, strict=True):
        assert masks_of(case).dtype == bool
        assert np.array_equal(masks_of(case), expected[::-1])
