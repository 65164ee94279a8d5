"""Corrected cases join training, no other case moves, and the user's folder is only read."""

import csv

import numpy as np
import pytest
from PIL import Image

from samcarry.data.cases import find_cases
from samcarry.data.checks import check_cases
from samcarry.data.manifest import order_training_cases
from samcarry.errors import InputError
from samcarry.formats.cvat import read_cvat, write_cvat
from samcarry.geometry.run_lengths import encode_image
from samcarry.images.masks import read_mask, write_mask
from samcarry.review.corrections import apply_corrections

CLASSES = ("Radius", "Ulna")
SETTINGS = {
    "val_fraction": 0.2,
    "test_fraction": 0.2,
    "seed": 0,
    "patient_pattern": None,
    "keep_unlabelled_of_test_patients": True,
}


def masks(seed):
    return np.random.default_rng(seed).random((2, 12, 10)) > 0.7


@pytest.fixture
def data(tmp_path):
    """Twelve labelled cases, split by hash, and four unlabelled ones, the last with hidden labels."""
    folder = tmp_path / "data"
    rows = []
    for number in range(16):
        case = f"p{number:02d}"
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, 10), number, np.uint8)).save(folder / "images" / f"{case}.png")
        if number < 12 or number == 15:
            for name, mask in zip(CLASSES, masks(number), strict=True):
                (folder / "labels" / case).mkdir(parents=True, exist_ok=True)
                write_mask(folder / "labels" / case / f"{name}.png", mask)
        split = (
            ("train", "train", "train", "val", "test", "train")[number % 6] if number < 12 else "unlabelled"
        )
        rows.append([case, "p03" if number == 14 else case, split, number + 5])
    with (folder / "cases.csv").open("w") as stream:
        csv.writer(stream).writerows([["case", "patient", "split", "age"], *rows])
    return folder


def corrected(path, *cases, size=(12, 10), blank=()):
    images = [
        encode_image(f"{case}.png", np.zeros((2, *size), bool) if case in blank else masks(99)[:, : size[0]])
        for case in cases
    ]
    write_cvat(path, images, CLASSES)
    return path


def apply(data, *files, **settings):
    return apply_corrections(data, files, data.parent / "new", splits=SETTINGS, **settings)


def order_of(folder):
    cases, _ = find_cases(folder, **SETTINGS)
    training = [case for case in cases if case.split == "train"]
    return order_training_cases(cases, check_cases(training).of_case, 0)


def contents(folder):
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def test_corrected_cases_join_training_last_in_the_order_of_the_files(data):
    before = order_of(data)
    apply(data, corrected(data.parent / "a.xml", "p13"), corrected(data.parent / "b.xml", "p12"))
    assert order_of(data.parent / "new") == [*before, "p13", "p12"]
    for name, mask in zip(CLASSES, masks(99), strict=True):
        assert (read_mask(data.parent / f"new/labels/p13/{name}.png") == mask).all()


def test_no_other_case_moves_even_if_splits_were_hashed(data):
    (data / "cases.csv").unlink()
    before = {case.case: (case.patient, case.split) for case in find_cases(data, **SETTINGS)[0]}
    apply(data, corrected(data.parent / "a.xml", "p13"))
    after = {case.case: (case.patient, case.split) for case in find_cases(data.parent / "new", **SETTINGS)[0]}
    assert after == before | {"p13": ("p13", "train")}


def test_the_users_folder_is_only_read_and_its_additional_columns_are_kept(data):
    before = contents(data)
    apply(data, corrected(data.parent / "a.xml", "p13"))
    assert contents(data) == before
    rows = list(csv.DictReader((data.parent / "new/cases.csv").read_text().splitlines()))
    assert rows[13]["age"] == "18"


def test_a_correction_replaces_hidden_labels(data):
    apply(data, corrected(data.parent / "a.xml", "p15"))
    assert (read_mask(data.parent / "new/labels/p15/Ulna.png") == masks(99)[1]).all()
    assert (read_mask(data / "labels/p15/Ulna.png") == masks(15)[1]).all()


def test_an_image_without_any_shape_is_ignored(data):
    summary = apply(data, corrected(data.parent / "a.xml", "p12", "p13", blank=["p12"]))
    assert order_of(data.parent / "new")[-1] == "p13"
    assert "1 images without any shape were ignored: p12" in summary


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        (["p00"], "already labelled (in train)"),
        (["p04"], "already labelled (in test)"),
        (["nobody"], "is not a case of the data set"),
        (["p14"], "is of patient 'p03' in val"),
    ],
)
def test_cases_that_cannot_join_training_are_reported_and_nothing_is_written(data, cases, words):
    with pytest.raises(InputError) as error:
        apply(data, corrected(data.parent / "a.xml", "p13", *cases))
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert not (data.parent / "new").exists()


def test_all_faults_of_all_files_are_reported_at_once(data):
    (data.parent / "b.xml").write_text("<annotations>")
    with pytest.raises(InputError) as error:
        apply(data, corrected(data.parent / "a.xml", "p00", "nobody"), data.parent / "b.xml")
    assert len(str(error.value).splitlines()) == 3


def test_a_case_corrected_twice_is_rejected(data):
    with pytest.raises(InputError, match=r"also corrected in .*a\.xml"):
        apply(data, corrected(data.parent / "a.xml", "p13"), corrected(data.parent / "b.xml", "p13"))


def test_another_size_and_an_unknown_class_are_rejected(data):
    with pytest.raises(InputError, match=r"is 10 x 12.*its annotation"):
        apply(data, corrected(data.parent / "a.xml", "p13", size=(11, 10)))
    for name in data.rglob("Ulna.png"):
        name.unlink()
    with pytest.raises(InputError, match="'Ulna', which is not listed in `classes`"):
        apply(data, corrected(data.parent / "a.xml", "p13"), classes=["Radius"])


def test_labels_are_replaced_only_on_request_and_the_split_is_kept(data):
    summary = apply(data, corrected(data.parent / "a.xml", "p04"), replace_labels=True)
    assert any(line.startswith("labels of 1 labelled cases were replaced: p04") for line in summary)
    assert order_of(data.parent / "new") == order_of(data)
    assert (read_mask(data.parent / "new/labels/p04/Ulna.png") == masks(99)[1]).all()
    assert len(read_cvat(data.parent / "a.xml")) == 1
