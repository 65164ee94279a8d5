"""The side of each image is found or the call stops; a model says whether it needs it."""

from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image

from samcarry.errors import InputError
from samcarry.predict.laterality import check_laterality, find_sides, side_to_mirror
from samcarry.predict.models import UNKNOWN, Model
from support.dicom_files import write as write_dicom

MODEL = Model(lambda images: images[:, None], ("a",), (4, 4), 0.5, 0.25, None, "0" * 64)


def files_in(folder, *names):
    """{case: file} of empty files."""
    found = {}
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        found[normalize("NFC", str(Path(name).with_suffix("")))] = file
    return found


def sheet(folder, *rows, header="case,laterality"):
    path = folder.parent / "sides.csv"
    path.write_text("\n".join([header, *rows]))
    return path


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("mirrored", ["right", "left", UNKNOWN])
def test_a_model_with_mirrored_images_needs_a_rule(mirrored):
    with pytest.raises(InputError, match="--laterality") as caught:
        check_laterality(replace(MODEL, mirrored=mirrored), None)
    assert "\n" not in str(caught.value)
    check_laterality(replace(MODEL, mirrored=mirrored), "dicom")


def test_none_is_for_models_that_do_not_say_or_that_mirrored_nothing():
    check_laterality(replace(MODEL, mirrored=UNKNOWN), "none")
    check_laterality(MODEL, "none")
    with pytest.raises(InputError, match="right sides"):
        check_laterality(replace(MODEL, mirrored="right"), "none")


def test_a_rule_for_a_model_without_mirroring_is_refused():
    check_laterality(MODEL, None)
    with pytest.raises(InputError, match="leave the option out"):
        check_laterality(MODEL, "left")


def test_the_side_to_mirror():
    assert side_to_mirror(replace(MODEL, mirrored="left"), "dicom") == "left"
    assert side_to_mirror(replace(MODEL, mirrored=UNKNOWN), "dicom") == "right"
    assert side_to_mirror(replace(MODEL, mirrored=UNKNOWN), "none") is None
    assert side_to_mirror(MODEL, None) is None


def test_one_side_for_all(images):
    files = files_in(images, "a.png", "b.png")
    assert find_sides("right", files, images) == {"a": "right", "b": "right"}


@pytest.mark.parametrize(
    ("pattern", "sides"),
    [
        (r"_WRI-([LR])\d", ["left", "right"]),
        (r"(?P<left>WRI-L)|(?P<right>WRI-R)", ["left", "right"]),
        (r"(?i)wri-(l|r)", ["left", "right"]),
    ],
)
def test_a_pattern_for_names(images, pattern, sides):
    files = files_in(images, "0025_01_WRI-L1_F000.png", "0184_01_WRI-R1_M017.png")
    assert list(find_sides(f"pattern:{pattern}", files, images).values()) == sides


def test_a_pattern_sees_folders(images):
    files = files_in(images, "left/1.png", "right/1.png")
    assert find_sides("pattern:^(left|right)/", files, images) == {"left/1": "left", "right/1": "right"}


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("pattern:(", "not a regular expression"),
        ("pattern:WRI-L", "has no group"),
        ("sideways", "is none of left, right"),
        ("sheet.csv:side", "sheet.csv: "),
    ],
)
def test_a_bad_rule_is_one_line(images, rule, fault):
    with pytest.raises(InputError, match=fault) as caught:
        find_sides(rule, files_in(images, "a.png"), images)
    assert "\n" not in str(caught.value)


def test_images_whose_side_is_not_found_are_all_listed(images):
    files = files_in(images, "a_L.png", "b.png", "c_L_R.png", "d_X.png")
    with pytest.raises(InputError) as caught:
        find_sides("pattern:_([LRX])", files, images)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].rpartition("/")[2] for line in lines] == ["b.png", "c_L_R.png", "d_X.png"]
    assert "says nothing" in lines[0]
    assert "says 'L' and 'R'" in lines[1]


def test_a_sheet_names_paths_names_or_cases(images):
    files = files_in(images, "monday/a.png", "tuesday/a.png", "b.png", "c.jpg", "d.1.png")
    path = sheet(images, "monday/a,L", "tuesday\\a.png,R", "b,left", "c.jpg,RIGHT", "d.1,r", "unused,L")
    sides = find_sides(str(path), files, images)
    assert list(sides.values()) == ["left", "right", "left", "right", "right"]


def test_any_column_of_a_sheet_and_any_unicode_form(images):
    files = files_in(images, normalize("NFD", "fémur.png"))
    path = sheet(images, f"{normalize('NFC', 'fémur')};L", header="filestem;Seite")
    assert list(find_sides(f"{path}:Seite", files, images).values()) == ["left"]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (["a,L"], "several images have this name"),
        (["monday/a,L", "monday/a,R", "tuesday/a,R"], "says 'L' and 'R'"),
        (["monday/a,L", "tuesday/a,"], "says ''"),
        (["monday/a,L", "tuesday/a,B"], "says 'B'"),
        (["monday/a,L"], "says nothing"),
        (["other/a,L", "monday/a,L"], "tuesday.*says nothing"),
    ],
)
def test_a_sheet_that_does_not_name_one_side(images, rows, fault):
    files = files_in(images, "monday/a.png", "tuesday/a.png")
    with pytest.raises(InputError, match=fault):
        find_sides(str(sheet(images, *rows)), files, images)


def test_a_sheet_without_names_or_sides(images):
    files = files_in(images, "a.png")
    with pytest.raises(InputError, match="no column 'laterality'"):
        find_sides(str(sheet(images, "a,L", header="case,side")), files, images)
    with pytest.raises(InputError, match="no column case or file"):
        find_sides(str(sheet(images, "a,L", header="patient,laterality")), files, images)


def test_dicom_tags(images):
    files = {
        name: write_dicom(images / f"{name}.dcm", **tags)
        for name, tags in {
            "image": {"ImageLaterality": "L"},
            "series": {"Laterality": "R"},
            "both": {"ImageLaterality": "R", "Laterality": "R"},
        }.items()
    }
    assert list(find_sides("dicom", files, images).values()) == ["left", "right", "right"]


@pytest.mark.parametrize(
    "tags",
    [{}, {"ImageLaterality": "U"}, {"ImageLaterality": "B"}, {"ImageLaterality": "L", "Laterality": "R"}],
)
def test_dicom_without_one_side(images, tags):
    with pytest.raises(InputError, match=r"a\.dcm: its side is not known"):
        find_sides("dicom", {"a": write_dicom(images / "a.dcm", **tags)}, images)


def test_other_files_have_no_dicom_tags(images):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(images / "a.png")
    (images / "b.dcm").write_bytes(b"rubbish")
    with pytest.raises(InputError) as caught:
        find_sides("dicom", {"a": images / "a.png", "b": images / "b.dcm"}, images)
    assert len(str(caught.value).splitlines()) == 2
