"""Corrected cases join training, no other case moves, and the user's folder is only read."""

import csv
import re
import shutil
import zlib

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
from samcarry.storage.files import sha256

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


def assert_refused(message, data, *files, **settings):
    """The corrections are refused with exactly this pattern of a message, and nothing is written."""
    with pytest.raises(InputError) as error:
        apply(data, *files, **settings)
    assert re.fullmatch(message, str(error.value))
    assert not (data.parent / "new").exists()


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


def test_a_program_that_edits_an_image_in_place_does_not_change_the_copy(data):
    apply(data, corrected(data.parent / "a.xml", "p13"))
    before = contents(data.parent / "new")
    for path in ("images/p00.png", "labels/p00/Ulna.png"):
        with (data / path).open("r+b") as stream:
            stream.write(b"edited")
    assert contents(data.parent / "new") == before


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


def with_line(path, label, *, tag="polyline", blank=()):
    """A correction of p13 that also has an entry without an area."""
    corrected(path, "p13", blank=blank)
    entry = f'<{tag} label="{label}" points="1,1;5,5"/></image>'
    text = path.read_text()
    path.write_text(re.sub(r"(<image [^>]*)/>", r"\1></image>", text).replace("</image>", entry))
    return path


@pytest.mark.parametrize("tag", ["polyline", "points", "skeleton", "cuboid"])
@pytest.mark.parametrize("blank", [(), ("p13",)], ids=["beside masks", "alone"])
@pytest.mark.parametrize("classes", [CLASSES, None], ids=["listed", "all"])
def test_a_shape_of_a_class_that_has_no_area_is_refused(data, tag, blank, classes):
    """Without it, the class would be trained as absent although a person has just drawn it."""
    assert_refused(
        rf"\S+a\.xml: image 'p13\.png': shape \d+ \(a {tag}\) of class 'Ulna' has no area; "
        "draw it as a polygon or a mask, or delete it",
        data,
        with_line(data.parent / "a.xml", "Ulna", tag=tag, blank=blank),
        classes=classes,
    )


def test_a_line_whose_label_is_no_class_is_skipped_and_counted(data):
    summary = apply(data, with_line(data.parent / "a.xml", "scale"), classes=CLASSES)
    assert "skipped 1 shapes whose labels are no classes: polyline 1" in summary
    assert (read_mask(data.parent / "new/labels/p13/Ulna.png") == masks(99)[1]).all()


def with_tiny_polygon(path, *others):
    """A correction of p13: an outline of the class Ulna between the centres of pixels, and other shapes."""
    tiny = '<polygon label="Ulna" points="3.6,3.6;3.9,3.6;3.9,3.9"/>'
    image = f'<image id="0" name="p13.png" width="10" height="12">{tiny}{"".join(others)}</image>'
    path.write_text(f"<annotations><version>1.1</version>{image}</annotations>")
    return path


def test_a_class_of_which_no_shape_has_a_pixel_is_refused(data):
    """It would be trained as absent although a person has just drawn it."""
    assert_refused(
        r"\S+a\.xml: image 'p13\.png': its shapes of class 'Ulna' cover the centre of no pixel, .*"
        "delete them",
        data,
        with_tiny_polygon(data.parent / "a.xml"),
    )


def test_a_shape_without_a_pixel_beside_others_of_its_class_is_counted(data):
    box = '<box label="Ulna" xtl="1" ytl="1" xbr="4" ybr="3"/>'
    summary = apply(data, with_tiny_polygon(data.parent / "a.xml", box))
    assert any(
        re.fullmatch(r"skipped 1 shapes that cover the centre of no pixel, .*: p13 \(Ulna\)", line)
        for line in summary
    )
    assert read_mask(data.parent / "new/labels/p13/Ulna.png").sum() == 6


def test_labels_are_replaced_only_on_request_and_the_split_is_kept(data):
    summary = apply(data, corrected(data.parent / "a.xml", "p04"), replace_labels=True)
    assert any(line.startswith("labels of 1 labelled cases were replaced: p04") for line in summary)
    assert order_of(data.parent / "new") == order_of(data)
    assert (read_mask(data.parent / "new/labels/p04/Ulna.png") == masks(99)[1]).all()
    assert len(read_cvat(data.parent / "a.xml")) == 1


# ---- which case a correction is of --------------------------------------------------------------


def imported(data, **place_of):
    """Note in cases.csv from which files cases were imported."""
    table = data / "cases.csv"
    header, *rows = table.read_text().splitlines()
    rows = [f"{row},{place_of.get(row.split(',')[0], '')}" for row in rows]
    table.write_text("\n".join([f"{header},imported_from", *rows]) + "\n")


@pytest.mark.parametrize("name", ["p13", "patientB/p13"])
def test_a_correction_names_its_image_by_the_case_or_by_the_path_before_an_import(data, name, caplog):
    imported(data, p13="patientB/p13.dcm")
    apply(data, corrected(data.parent / "a.xml", name))
    assert order_of(data.parent / "new")[-1] == "p13"
    assert not caplog.text


def test_a_correction_of_a_namesake_in_another_folder_is_refused(data):
    imported(data, p13="patientB/p13.dcm")
    with pytest.raises(
        InputError, match=r"a\.xml: image 'patientA/p13' has no file, and .*patientB/p13\.dcm"
    ):
        apply(data, corrected(data.parent / "a.xml", "patientA/p13"))


def test_a_further_folder_is_reported_and_two_are_refused(data, caplog):
    apply(data, corrected(data.parent / "a.xml", "server/p13"))
    assert "server/p13 -> p13.png" in caplog.text
    with pytest.raises(InputError, match=r"'x/p13' may be .*p13\.png, but so may 'y/p13'"):
        apply(data, corrected(data.parent / "a.xml", "x/p13", "y/p13"))


def test_decomposed_names_are_those_of_the_cases(data):
    (data / "images/p13.png").rename(data / "images/pe\u0301.png")
    (data / "cases.csv").write_text((data / "cases.csv").read_text().replace("p13", "pe\u0301"))
    apply(data, corrected(data.parent / "a.xml", "p\u00e9"))
    assert order_of(data.parent / "new")[-1] == "p\u00e9"


def saved_by_page(path, *cases, data, who="A. B.", absent=(), digest=None):
    """A file as the annotation page saves it; the cases in `absent` have no class."""
    labels = "".join(f"<label><name>{name}</name></label>" for name in CLASSES)
    about = f'<samcarry version="1" dataset="mine" page="x" annotator="{who}" saved="2025-01-01T00:00:00Z"/>'
    text = f"<annotations><version>1.1</version><meta><task><labels>{labels}</labels></task>{about}</meta>"
    for case in cases:
        found = digest or sha256(data / f"images/{case}.png")
        names = ("", CLASSES) if case in absent else (CLASSES, "")
        states = f'corrected="{";".join(names[0])}" confirmed="" absent="{";".join(names[1])}"'
        when = f'finished="2025-01-01T00:00:00Z" seconds="90" sha256="{found}"'
        text += f'<image name="{case}.png" width="10" height="12" {when} {states}>'
        text += "".join(
            f'<mask label="{name}" rle="0, 4" left="1" top="2" width="2" height="2"/>' for name in names[0]
        )
        text += "</image>"
    text += "</annotations>\n"
    path.write_text(f"{text}<!-- samcarry crc32 {zlib.crc32(text.encode()):08x} -->\n")
    return path


def test_a_file_of_the_annotation_page_says_who_corrected_and_how_long_it_took(data):
    apply(data, saved_by_page(data.parent / "a.xml", "p12", "p13", data=data, absent=["p13"]))
    with (data.parent / "new/cases.csv").open() as stream:
        rows = {row["case"]: row for row in csv.DictReader(stream)}
    assert [rows["p12"][name] for name in ("corrected_by", "corrected_minutes")] == ["A. B.", "1.50"]
    assert [rows["p00"][name] for name in ("corrected_by", "corrected_minutes")] == ["", ""]
    expected = np.zeros((12, 10), bool)
    expected[2:4, 1:3] = True
    assert np.array_equal(read_mask(data.parent / "new/labels/p12/Ulna.png"), expected)


def test_a_finished_image_without_any_class_counts(data):
    apply(data, saved_by_page(data.parent / "a.xml", "p13", data=data, absent=["p13"]))
    assert order_of(data.parent / "new")[-1] == "p13"
    assert list((data.parent / "new/labels/p13").iterdir()) == []


def test_two_annotators_of_one_case_are_both_named(data):
    files = [
        saved_by_page(data.parent / f"{who}.xml", "p12", data=data, who=f"{who}. X.") for who in ("A", "B")
    ]
    assert_refused(
        r"\S+B\.xml \(by B\. X\.\): image 'p12\.png' is also corrected in \S+A\.xml \(by A\. X\.\); "
        "list only one of the two files",
        data,
        *files,
    )


def test_a_file_for_another_data_set_is_refused(data):
    with pytest.raises(
        InputError, match=r"p12\.png, whose content differs: the file is for another data set"
    ):
        apply(data, saved_by_page(data.parent / "a.xml", "p12", data=data, digest="0" * 64))
    assert not (data.parent / "new").exists()


def test_first_labels_are_split_by_patient(data):
    """Nothing is labelled yet: the file of the annotation page holds the first labels of the study."""
    shutil.rmtree(data / "labels")
    (data / "cases.csv").unlink()
    cases = [f"p{number:02d}" for number in range(16)]
    lines = apply(data, saved_by_page(data.parent / "a.xml", *cases[:12], data=data))
    assert re.search(
        r"12 corrected cases are the first labels, split by patient: \d+ train, \d+ val", lines[-1]
    )
    found, _ = find_cases(data.parent / "new", **SETTINGS)
    split_of = {case.case: case.split for case in found}
    assert set(split_of.values()) == {"train", "val", "test", "unlabelled"}
    assert [case for case in cases if split_of[case] == "unlabelled"] == cases[12:]
    # More cases never change the splits of old ones.
    apply(data, saved_by_page(data.parent / "b.xml", *cases, data=data))
    again = {case.case: case.split for case in find_cases(data.parent / "new", **SETTINGS)[0]}
    assert all(again[case] == split_of[case] for case in cases[:12])


# ---- images that an import has mirrored ------------------------------------------------------------

DRAWN = masks(99)


@pytest.mark.parametrize(
    ("name", "mirrored", "turned"),
    [
        ("p13", {"p12"}, False),
        ("p13", {"p13"}, True),  # drawn on the user's own image: an export, or samcarry predict
        ("p13.mirrored", {"p13"}, False),  # drawn on the picture of a task
        ("p13.mirrored", {"p12"}, True),  # the side was corrected in the table after the task was made
        ("folder/p13.mirrored", {"p13"}, False),
    ],
)
def test_a_correction_is_mirrored_once_if_its_image_is_not_as_in_the_data_set(
    data, name, mirrored, turned, caplog
):
    apply(data, corrected(data.parent / "a.xml", name), mirrored=mirrored)
    for label, mask in zip(CLASSES, DRAWN, strict=True):
        found = read_mask(data.parent / f"new/labels/p13/{label}.png")
        assert np.array_equal(found, mask[:, ::-1] if turned else mask)
    assert ("1 corrections are mirrored" in caplog.text) == turned


def test_a_file_of_the_page_is_drawn_on_the_image_in_the_data_set(data, caplog):
    apply(data, saved_by_page(data.parent / "a.xml", "p13", data=data), mirrored={"p13"})
    found = read_mask(data.parent / "new/labels/p13/Ulna.png")
    assert np.argwhere(found)[:, 1].tolist() == [1, 2, 1, 2]
    assert not caplog.text


def test_a_case_may_itself_be_called_mirrored(data):
    (data / "images/p13.png").rename(data / "images/p13.mirrored.png")
    table = (data / "cases.csv").read_text().replace("\np13,p13", "\np13.mirrored,p13")
    (data / "cases.csv").write_text(table)
    apply(data, corrected(data.parent / "a.xml", "p13.mirrored"))
    found = read_mask(data.parent / "new/labels/p13.mirrored/Ulna.png")
    assert np.array_equal(found, DRAWN[1])
