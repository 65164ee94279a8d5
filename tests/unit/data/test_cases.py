"""A data set is found on disk and split by patient, and all its faults are reported at once."""

from pathlib import Path

import numpy as np
import pytest

from samcarry.data.cases import Case, find_cases
from samcarry.errors import InputError
from samcarry.images.grey import write_grey
from samcarry.images.masks import write_mask

MASK = np.eye(4, dtype=bool)


def add(folder: Path, *names: str, labelled: bool = True, suffix: str = ".png") -> None:
    """Add cases to a data set, by default with one class, Ulna."""
    for name in names:
        write_grey(folder / "images" / f"{name}{suffix}", np.zeros((4, 4), np.uint8))
        if labelled:
            write_mask(folder / "labels" / name / "Ulna.png", MASK)


def sheet(folder: Path, text: str) -> None:
    (folder / "cases.csv").write_text(text, encoding="utf-8")


def faults(folder: Path, **settings) -> list[str]:
    """The reported faults, one per line."""
    with pytest.raises(InputError) as caught:
        find_cases(folder, **settings)
    return str(caught.value).splitlines()


def splits(folder: Path, **settings) -> dict[str, str]:
    return {case.case: case.split for case in find_cases(folder, **settings)[0]}


def test_without_cases_csv_the_label_folders_decide(tmp_path):
    add(tmp_path, "b", "a")
    add(tmp_path, "c", labelled=False, suffix=".JPG")
    (tmp_path / "labels" / "a" / "Ulna.png").unlink()  # no class is present, but the case is labelled
    cases, _ = find_cases(tmp_path, val_fraction=0, test_fraction=0)
    images, labels = tmp_path / "images", tmp_path / "labels"
    assert cases == [
        Case("a", "a", "train", None, images / "a.png", labels / "a"),
        Case("b", "b", "train", None, images / "b.png", labels / "b"),
        Case("c", "c", "unlabelled", None, images / "c.JPG", None),
    ]


def test_cases_csv_names_patients_splits_and_order(tmp_path):
    add(tmp_path, "a", "b", "c", "d")
    sheet(tmp_path, "case,patient,split,order,age\na,p,train,2,7\nb,p,train,,\nc,q,val,,\nd,r,test,,")
    cases, warnings = find_cases(tmp_path)
    assert [(c.case, c.patient, c.split, c.order) for c in cases] == [
        ("a", "p", "train", 2),
        ("b", "p", "train", None),
        ("c", "q", "val", None),
        ("d", "r", "test", None),
    ]
    assert warnings == []


@pytest.mark.parametrize("column", ["group", "site"])
def test_cases_csv_may_give_the_size_of_pixels_and_a_group(tmp_path, column):
    add(tmp_path, "a", "b")
    sheet(tmp_path, f"case,split,spacing,{column}\na,train,0.14 0.2,north\nb,val,,")
    cases, _ = find_cases(tmp_path)
    assert [(case.spacing, case.group) for case in cases] == [("0.14 0.2", "north"), ("", "")]


def test_a_sheet_from_a_spreadsheet_program_is_read(tmp_path):
    add(tmp_path, "a", "b")
    text = "\ufeffcase;split;order\r\n a ;train;1.0\r\nb;val;\r\n;;\r\n"
    (tmp_path / "cases.csv").write_bytes(text.encode())
    assert splits(tmp_path) == {"a": "train", "b": "val"}
    assert find_cases(tmp_path)[0][0].order == 1


def test_an_unlabelled_case_keeps_its_hidden_labels(tmp_path):
    add(tmp_path, "a", "b")
    sheet(tmp_path, "case,split\na,train\nb,unlabelled")
    assert find_cases(tmp_path)[0][1].labels == tmp_path / "labels" / "b"


def test_a_new_unlabelled_image_needs_no_row(tmp_path):
    add(tmp_path, "a")
    add(tmp_path, "new", labelled=False)
    sheet(tmp_path, "case,split\na,train")
    assert splits(tmp_path)["new"] == "unlabelled"


def test_hashed_splits_follow_the_fractions_and_the_seed(tmp_path):
    add(tmp_path, *(f"case{n:03}" for n in range(200)))
    first = list(splits(tmp_path, val_fraction=0.2, test_fraction=0.3).values())
    assert 25 <= first.count("val") <= 55
    assert 40 <= first.count("test") <= 80
    assert first == list(splits(tmp_path, val_fraction=0.2, test_fraction=0.3).values())
    assert first != list(splits(tmp_path, val_fraction=0.2, test_fraction=0.3, seed=1).values())


def test_hashed_splits_of_old_cases_do_not_change_when_cases_are_added(tmp_path):
    add(tmp_path, *(f"old{n}" for n in range(30)))
    before = splits(tmp_path)
    add(tmp_path, *(f"new{n}" for n in range(30)))
    after = splits(tmp_path)
    assert before == {name: after[name] for name in before}


def test_all_images_of_a_patient_share_a_split(tmp_path):
    add(tmp_path, *(f"{patient:02}_{visit}" for patient in range(30) for visit in "abc"))
    cases, _ = find_cases(tmp_path, patient_pattern=r"^(\d+)_")
    assert {case.patient for case in cases} == {f"{patient:02}" for patient in range(30)}
    assert len({(case.patient, case.split) for case in cases}) == 30


def test_the_patient_in_cases_csv_takes_precedence_over_the_pattern(tmp_path):
    add(tmp_path, "1_a", "2_b")
    sheet(tmp_path, "case,patient\n1_a,someone")
    cases, _ = find_cases(tmp_path, patient_pattern=r"^(\d+)", val_fraction=0, test_fraction=0)
    assert [case.patient for case in cases] == ["someone", "2"]


def test_unlabelled_images_of_test_patients_are_dropped_with_a_warning_or_kept(tmp_path):
    add(tmp_path, "a", "b", "c")
    add(tmp_path, "x", "y", labelled=False)
    sheet(tmp_path, "case,patient,split\na,p,train\nb,q,val\nc,r,test\nx,r,\ny,p,")
    cases, warnings = find_cases(tmp_path)
    assert [case.case for case in cases] == ["a", "b", "c", "y"]
    assert "left out 1 unlabelled" in warnings[0]
    assert "(x)" in warnings[0]
    cases, warnings = find_cases(tmp_path, keep_unlabelled_of_test_patients=True)
    assert [case.case for case in cases] == ["a", "b", "c", "x", "y"]
    assert warnings == []


def test_an_empty_val_split_and_files_that_are_not_images_cause_warnings(tmp_path):
    add(tmp_path, "a")
    (tmp_path / "images" / "notes.txt").touch()
    (tmp_path / "images" / ".DS_Store").touch()
    (tmp_path / "images" / "Thumbs.db").touch()
    _, warnings = find_cases(tmp_path, val_fraction=0, test_fraction=0)
    assert len(warnings) == 3
    assert warnings[0].endswith(": notes.txt")
    assert "no case is in val" in warnings[1]
    assert "no case is in test" in warnings[2]


def test_decomposed_unicode_names_of_macos_match_composed_ones(tmp_path):
    composed, decomposed = "Z\u00e4hne", "Za\u0308hne"
    add(tmp_path, decomposed)
    sheet(tmp_path, f"case,split\n{composed},train")
    assert splits(tmp_path) == {composed: "train"}


@pytest.mark.parametrize("name", ["a ", "<b>", "{n}", "ü" * 101, "a\tb", "a\u202eb"])
def test_invalid_names_of_cases(tmp_path, name):
    add(tmp_path, "fine")
    add(tmp_path, name)
    line = faults(tmp_path)[0]
    assert "the name of a case cannot contain" in line


@pytest.mark.parametrize("make", [False, True])
def test_no_images(tmp_path, make):
    if make:
        (tmp_path / "images").mkdir()
    (line,) = faults(tmp_path)
    assert line.startswith(str(tmp_path / "images"))


FAULTY_SHEETS = {
    "name,split\na,train": "has no column 'case'",
    "Case,split\na,train": "has no column 'case'",
    "case,spilt\na,train": "column 'spilt' looks like 'split'",
    "case,patient_id\na,1": "column 'patient_id' looks like 'patient'",
    "case,subject\na,1": "column 'subject' looks like 'patient'",
    "case,Patient name\na,1": "column 'Patient name' looks like 'patient'",
    "case,set\na,train\nb,": "column 'set' looks like 'split'",
    "case,fold\na,Training\nb,validation": "column 'fold' looks like 'split'",
    "case,split,split\na,train,val": "two columns 'split'",
    "case,split,Spacing\na,train,1": "column 'Spacing' looks like 'spacing'",
    'case,split,spacing\na,train,"0,14"': "case 'a': spacing '0,14' is not one or two numbers above 0",
    "case,split\na,train,val": "row 2 has 3 fields",
    "case,split\na,train\na,train": "two rows for case 'a'",
    "case,split\na,train\nghost,unlabelled": "there is no image",
    "case,split\na,training": "split 'training' of case 'a' is unknown",
    "case,split\na,train\nb,Unlabelled": "split 'Unlabelled' of case 'b' is unknown",
    "case,split,order\na,train,first": "order 'first' of case 'a' is not a whole number",
    "case,split,order\na,train,1.5": "order '1.5' of case 'a' is not a whole number",
    "case,split\na,train\n../a,val": "'../a' is not the name of a case",
    "case,split\na,train\nb,val": "'b' is in val but has no folder",
    "case,split\na,": "no split for the labelled case 'a'",
    "case,split\na,unlabelled": "no labelled case is in train",
    'case,split\n"a,train': "is not CSV",
}


@pytest.mark.parametrize("text", FAULTY_SHEETS)
def test_faults_of_cases_csv(tmp_path, text):
    add(tmp_path, "a")
    add(tmp_path, "b", labelled=False)
    sheet(tmp_path, text)
    lines = faults(tmp_path, val_fraction=0, test_fraction=0)
    assert any(FAULTY_SHEETS[text] in line for line in lines)
    assert all(str(tmp_path) in line for line in lines)


def test_a_cases_csv_that_is_not_utf_8(tmp_path):
    add(tmp_path, "a")
    (tmp_path / "cases.csv").write_bytes("case\nZähne".encode("latin-1"))
    (line,) = faults(tmp_path)
    assert "cases.csv: cannot be read as UTF-8" in line


@pytest.mark.parametrize(("one", "other"), [("P1", "p1"), ("Anna B", "Anna  B"), ("12", "12.0")])
def test_two_spellings_of_a_patient_in_two_splits(tmp_path, one, other):
    add(tmp_path, "a", "b")
    sheet(tmp_path, f"case,patient,split\na,{one},train\nb,{other},test")
    (line,) = faults(tmp_path)
    assert f"cases.csv: patient {one!r} is in train (a) and test (b, written {other!r})" in line


def test_an_unlabelled_image_of_a_test_patient_in_another_spelling_is_dropped(tmp_path):
    add(tmp_path, "a", "b")
    add(tmp_path, "c", labelled=False)
    sheet(tmp_path, "case,patient,split\na,p1,train\nb,P2,test\nc,p2,")
    cases, warnings = find_cases(tmp_path)
    assert [case.case for case in cases] == ["a", "b"]
    assert any("left out 1" in line for line in warnings)


def test_spellings_of_a_patient_in_one_split_become_one(tmp_path):
    add(tmp_path, "a", "b", "c")
    sheet(tmp_path, "case,patient,split\na,p1,train\nb,P1,train\nc,P2,test")
    assert [case.patient for case in find_cases(tmp_path)[0]] == ["P1", "P1", "P2"]


def test_similar_patients_in_two_splits(tmp_path):
    add(tmp_path, "a", "b")
    sheet(tmp_path, "case,patient,split\na,0012,train\nb,12,test")
    _, warnings = find_cases(tmp_path)
    (line,) = [line for line in warnings if "`similar_patients: ignore`" in line]
    assert "patients '0012' (a in train) and '12' (b in test) may be one patient" in line
    (fault,) = faults(tmp_path, similar_patients="refuse")
    assert fault == line
    _, warnings = find_cases(tmp_path, similar_patients="ignore")
    assert not [line for line in warnings if "`similar_patients: ignore`" in line]


def test_names_that_look_like_several_images_of_a_patient(tmp_path):
    add(tmp_path, *(f"P{patient:03}_{side}" for patient in range(20) for side in ("left", "right")))
    _, warnings = find_cases(tmp_path)
    (line,) = [line for line in warnings if "patient_pattern" in line]
    assert "may be images of one patient" in line
    assert "patient_pattern: '^([^_]+)'" in line
    for pattern in ("^([^_]+)", "^(.+)$"):
        _, warnings = find_cases(tmp_path, patient_pattern=pattern)
        assert not [line for line in warnings if "patient_pattern" in line]
    rows = [f"P{patient:03}_{side},P{patient:03}" for patient in range(20) for side in ("left", "right")]
    sheet(tmp_path, "\n".join(["case,patient", *rows]))
    _, warnings = find_cases(tmp_path)
    assert not [line for line in warnings if "patient_pattern" in line]


def test_a_patient_in_two_splits(tmp_path):
    add(tmp_path, "a", "b", "c")
    sheet(tmp_path, "case,patient,split\na,p,train\nb,p,test\nc,p,unlabelled")
    (line,) = faults(tmp_path)
    assert "cases.csv: patient 'p' is in train (a) and test (b)" in line


def test_labels_without_an_image_and_a_file_among_the_label_folders(tmp_path):
    add(tmp_path, "a", "b")
    (tmp_path / "images" / "b.png").unlink()
    (tmp_path / "labels" / "a.png").touch()
    lines = faults(tmp_path, val_fraction=0, test_fraction=0)
    assert [line.split(":")[0] for line in lines] == [
        str(tmp_path / "labels" / name) for name in ("a.png", "b")
    ]


def test_two_images_of_one_name(tmp_path):
    add(tmp_path, "a")
    add(tmp_path, "a", suffix=".jpg")
    (line,) = faults(tmp_path, val_fraction=0, test_fraction=0)
    assert "second image of case 'a'" in line


def test_no_labelled_case_at_all(tmp_path):
    add(tmp_path, "a", labelled=False)
    (line,) = faults(tmp_path)
    assert "no labelled case is in train" in line


def test_the_fault_of_a_name_with_a_line_break_is_one_line(tmp_path):
    add(tmp_path, "a", "b\nc")
    (line,) = faults(tmp_path, val_fraction=0, test_fraction=0)[:1]
    assert "unprintable" in line


@pytest.mark.parametrize("pattern", ["(", r"\d+", r"(\d)(\d)", r"(\d+)"])
def test_invalid_patient_patterns(tmp_path, pattern):
    add(tmp_path, "a")
    (line,) = faults(tmp_path, patient_pattern=pattern, val_fraction=0, test_fraction=0)
    assert "patient_pattern" in line


def test_fractions_must_leave_cases_for_training(tmp_path):
    add(tmp_path, "a")
    with pytest.raises(InputError, match="val_fraction"):
        find_cases(tmp_path, val_fraction=0.5, test_fraction=0.5)


def test_at_most_fifty_faults_are_listed(tmp_path):
    add(tmp_path, "a")
    for number in range(60):
        (tmp_path / "labels" / f"ghost{number:02}").mkdir()
    lines = faults(tmp_path, val_fraction=0, test_fraction=0)
    assert len(lines) == 51
    assert lines[-1] == "... and 10 more"


def test_faults_of_the_sheet_are_reported_beside_images_in_subfolders(tmp_path):
    (tmp_path / "images/deep").mkdir(parents=True)
    (tmp_path / "images/deep/a.png").touch()
    (tmp_path / "cases.csv").write_bytes("case\nZähne".encode("cp1252"))
    with pytest.raises(InputError) as caught:
        find_cases(tmp_path)
    assert "subfolders are not read" in str(caught.value)
    assert "cannot be read as UTF-8" in str(caught.value)


def test_a_pattern_that_finds_the_image_instead_of_the_patient_is_reported(tmp_path):
    split_of = {"P0_0": "train", "P0_1": "val", "P1_2": "train", "P1_3": "test"}
    for name in split_of:
        add(tmp_path, name)
    sheet(tmp_path, "\n".join(["case,split", *(f"{name},{split}" for name, split in split_of.items())]))
    _, warnings = find_cases(tmp_path, patient_pattern=r"(\d+)$")
    assert any("P0_0 (in train) and P0_1 (in val) may be images of one patient" in line for line in warnings)


def test_cases_without_a_patient_are_reported_if_others_have_one(tmp_path):
    for name in ("a", "b", "c"):
        add(tmp_path, name)
    sheet(tmp_path, "case,patient,split\na,1,train\nb,,val\nc,3,test")
    _, warnings = find_cases(tmp_path)
    assert any("has no patient for 1 of 3 cases (b)" in line for line in warnings)
