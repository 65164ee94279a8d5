"""The folder layout: valid names, files that are ignored, and rows of cases.csv."""

from pathlib import Path

import pytest

from samcarry.data.contract import (
    SPLITS,
    find_images,
    find_labels,
    is_case_name,
    is_class_name,
    pattern_root,
    read_rows,
)
from samcarry.errors import InputError


@pytest.fixture
def images(tmp_path):
    """A folder of images with two cases, a text file and files that file managers create."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("b.PNG", "a.dcm", "notes.txt", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("masks/{case}/*.png", "masks"),
        ("own/masks/{class}_{case}.png", "own/masks"),
        ("*.xml", "."),
        ("annotations.xml", "annotations.xml"),
        ("/data/study/*", "/data/study"),
    ],
)
def test_the_root_of_a_pattern_is_the_folder_before_it(path, root):
    assert pattern_root(path) == root


@pytest.mark.parametrize("name", ["a", "Zähne, oben", "a.b", "x" * 200, ".hidden", "a;b"])
def test_valid_names_of_cases(name):
    assert is_case_name(name)


@pytest.mark.parametrize("name", [" a", "a ", "<a>", "{a}", "a\nb", "x" * 201, "ü" * 101])
def test_invalid_names_of_cases(name):
    assert not is_case_name(name)


@pytest.mark.parametrize("name", ["Os capitatum", "Zähne", "1", "a.b", "x" * 200])
def test_valid_names_of_classes(name):
    assert is_class_name(name)


@pytest.mark.parametrize(
    "name", ["", " a", "a ", ".", ".a", "a/b", "a\\b", "a;b", "a,b", "<a>", "{a}", "a\tb"]
)
def test_invalid_names_of_classes(name):
    assert not is_class_name(name)


def test_images_are_found_by_suffix_and_other_files_cause_a_warning(images):
    faults, warnings = [], []
    assert find_images(images, faults, warnings) == {"a": images / "a.dcm", "b": images / "b.PNG"}
    assert faults == []
    assert [line.endswith(": notes.txt") for line in warnings] == [True]


def test_a_second_image_of_a_case_is_a_fault(images):
    (images / "b.tif").touch()
    faults = []
    find_images(images, faults, [])
    assert len(faults) == 1
    assert str(images / "b.tif") in faults[0]
    assert "second image of case 'b'" in faults[0]


def test_a_folder_without_images_is_rejected(tmp_path):
    with pytest.raises(InputError, match="contains no image"):
        find_images(tmp_path, [], [])
    with pytest.raises(InputError, match="no such folder"):
        find_images(tmp_path / "none", [], [])


def test_a_folder_with_invalid_names_only_is_rejected_with_these_names(tmp_path):
    (tmp_path / "{a}.png").touch()
    with pytest.raises(InputError, match=r"\{a\}\.png: the name of a case cannot contain"):
        find_images(tmp_path, [], [])


@pytest.mark.parametrize(
    ("one", "other"), [("a.png", "a.PNG"), ("a.png", "A.tif"), ("\u00e9.png", "e\u0301.png")]
)
def test_two_images_of_one_case_are_a_fault_that_names_both(tmp_path, one, other):
    (tmp_path / one).touch()
    (tmp_path / other).touch()
    faults = []
    assert len(find_images(tmp_path, faults, [])) == 1
    assert all(str(tmp_path / name) in faults[0] for name in (one, other))


def test_two_label_folders_of_one_case_are_a_fault_that_names_both(tmp_path):
    names = ("\u00e9", "e\u0301")
    for name in names:
        (tmp_path / name).mkdir()
    faults = []
    assert list(find_labels(tmp_path, {"\u00e9": Path("e.png")}, faults)) == ["\u00e9"]
    assert all(str(tmp_path / name) in faults[0] for name in names)


def test_label_folders_belong_to_images(tmp_path):
    labels = tmp_path / "labels"
    for name in ("a", "ghost"):
        (labels / name).mkdir(parents=True)
    (labels / "a.png").touch()
    faults = []
    assert find_labels(labels, {"a": Path("a.png")}, faults) == {"a": labels / "a"}
    assert [line.split(":")[0] for line in faults] == [str(labels / "a.png"), str(labels / "ghost")]
    assert find_labels(tmp_path / "none", {}, faults) == {}


def test_rows_keep_further_columns_and_say_whether_splits_are_named(tmp_path):
    path, images = tmp_path / "cases.csv", {"a": Path("a.png"), "b": Path("b.png")}
    assert read_rows(path, images, []) == ({}, False)
    path.write_text("case,age\na,7\n")
    assert read_rows(path, images, []) == ({"a": {"case": "a", "age": "7"}}, False)
    path.write_text("case,split\na,train\nb,\n")
    faults = []
    rows, splits_are_named = read_rows(path, images, faults)
    assert (rows["a"]["split"], rows["b"]["split"], splits_are_named, faults) == ("train", "", True, [])


def test_all_faulty_rows_are_reported(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("case,split,order\na,training,x\nghost,train,1\n")
    faults = []
    read_rows(path, {"a": Path("a.png")}, faults)
    assert len(faults) == 3
    assert all(line.startswith(f"{path}: ") for line in faults)
    assert all(split in faults[0] for split in SPLITS)


def test_images_in_subfolders_are_counted_and_named(tmp_path):
    images = tmp_path / "images"
    for name in ("deep/a.png", "deep/er/b.png", "notes/c.txt"):
        file = images / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    faults, warnings = [], []
    assert find_images(images, faults, warnings) == {}
    assert len(faults) == 1
    assert "subfolders are not read: deep/ (2); move them up" in faults[0]
    (images / "top.png").touch()
    faults, warnings = [], []
    assert list(find_images(images, faults, warnings)) == ["top"]
    assert faults == []
    assert any("deep/ (2)" in line for line in warnings)
    assert any("ignored what is not an image" in line and "notes" in line for line in warnings)


def test_a_case_with_the_suffix_of_its_file_is_said_to_be_one(tmp_path):
    sheet = tmp_path / "cases.csv"
    sheet.write_text("case,split\nK09.png,train\n")
    faults = []
    read_rows(sheet, {"K09": tmp_path / "images/K09.png"}, faults)
    assert faults == [
        f"{sheet}: case 'K09.png' is written with the suffix of its file; write 'K09', the file name without "
        "the suffix"
    ]
