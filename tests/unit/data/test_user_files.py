"""Files of the user: what counts as an image, a label or litter, and which name it stands for."""

import unicodedata
from pathlib import Path

import pytest

from samcarry.data.contract import find_images
from samcarry.data.user_files import (
    by_name,
    find_label_files,
    image_name,
    label_name,
    visible_entries,
    visible_files,
)
from samcarry.importing.folders import find_image_files
from samcarry.predict.finding import find_new_images

FEMUR = "f\u00e9mur"
DECOMPOSED = unicodedata.normalize("NFD", FEMUR)  # as macOS writes it


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_litter_of_operating_systems_is_ignored(tmp_path):
    litter = (".DS_Store", "._a.png", "Thumbs.db", "DESKTOP.INI", "Icon\r", ".git/a.png", "__MACOSX/a.png")
    make(tmp_path, *litter, "@eaDir/a.png", "a.png", "deep/b.png", "deep/.c.png", "deep/._b.png")
    assert visible_entries(tmp_path) == [tmp_path / "a.png", tmp_path / "deep"]
    faults: list[str] = []
    assert visible_files(tmp_path, faults) == [tmp_path / "a.png", tmp_path / "deep/b.png"]
    assert faults == []


def test_a_link_to_a_folder_is_a_fault_and_not_silently_skipped(tmp_path):
    make(tmp_path, "elsewhere/a.png", "images/b.png")
    (tmp_path / "images/part2").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images/self").symlink_to(tmp_path / "images")
    faults: list[str] = []
    assert visible_files(tmp_path / "images", faults) == [tmp_path / "images/b.png"]
    assert [fault.split(":")[0] for fault in faults] == [
        str(tmp_path / f"images/{n}") for n in ("part2", "self")
    ]


def test_a_folder_that_cannot_be_read_is_a_fault(tmp_path, monkeypatch):
    make(tmp_path, "a.png", "secret/b.png")

    def forbidden(folder):
        if folder.name == "secret":
            raise PermissionError(13, "Permission denied")
        return visible_entries(folder)

    monkeypatch.setattr("samcarry.data.user_files.visible_entries", forbidden)
    faults: list[str] = []
    assert visible_files(tmp_path, faults) == [tmp_path / "a.png"]
    assert [fault.split(" (")[0] for fault in faults] == [f"{tmp_path / 'secret'}: cannot be read"]


@pytest.mark.parametrize(
    ("file", "image", "label"),
    [
        ("a.png", "a", "a"),
        ("x/a.PNG", "a", "a"),
        ("a.b.Png", "a.b", "a.b"),
        ("a.JPeG", "a", None),
        ("a.dcm", "a", None),
        (f"{DECOMPOSED}.png", FEMUR, FEMUR),
        ("a.png.bak", None, None),
        ("a", None, None),
    ],
)
def test_the_suffix_in_any_case_decides_and_names_are_composed(file, image, label):
    assert image_name(Path(file)) == image
    assert label_name(Path(file)) == label


def test_label_files_are_found_by_class_whatever_their_suffix_and_form(tmp_path):
    make(tmp_path, "ulna.PNG", f"{DECOMPOSED}.png", "._ulna.png", ".DS_Store")
    faults: list[str] = []
    files = {FEMUR: tmp_path / f"{DECOMPOSED}.png", "ulna": tmp_path / "ulna.PNG"}
    assert list(find_label_files(tmp_path, faults).items()) == sorted(files.items())
    assert faults == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("bone.PNG", "bone.png"), (f"{DECOMPOSED}.png", f"{FEMUR}.png"), ("Bone.png", "bone.png")],
)
def test_two_files_of_one_class_are_a_fault_that_names_both(tmp_path, one, other):
    make(tmp_path, one, other)
    faults: list[str] = []
    assert len(find_label_files(tmp_path, faults)) == 1
    (fault,) = faults
    assert all(repr(str(tmp_path / name))[1:-1] in fault for name in (one, other))


@pytest.mark.parametrize("find", [find_images, find_image_files, find_new_images])
def test_two_images_whose_names_differ_in_the_unicode_form_only_are_a_fault_that_says_so(tmp_path, find):
    make(tmp_path, f"{DECOMPOSED}.png", f"{FEMUR}.png")
    faults: list[str] = []
    if find is find_images:
        find(tmp_path, faults, [])
    elif find is find_image_files:
        find(tmp_path, faults)
    else:
        faults = find(tmp_path)[1]
    (fault,) = faults
    assert fault.startswith(f"{tmp_path / FEMUR}.png: is a second image")
    assert "the same letters in another Unicode form" in fault


def test_everything_else_in_a_label_folder_is_a_fault(tmp_path):
    make(tmp_path, "a.jpg", "b.png/c.png", "d.png")
    faults: list[str] = []
    assert find_label_files(tmp_path, faults) == {"d": tmp_path / "d.png"}
    assert [fault.split(":")[0] for fault in faults] == [str(tmp_path / n) for n in ("a.jpg", "b.png")]


def test_a_label_folder_that_is_gone_is_a_fault_and_not_an_absent_class(tmp_path):
    faults: list[str] = []
    assert find_label_files(tmp_path / "gone", faults) == {}
    assert faults[0].startswith(f"{tmp_path / 'gone'}: there is no such folder")


def test_names_that_differ_only_in_upper_and_lower_case_count_as_equal():
    faults: list[str] = []
    files = [("IM1", Path("a/IM1.png")), ("im1", Path("b/im1.png")), ("im2", Path("b/im2.png"))]
    found = by_name(files, "image of case", faults)
    assert found == {"IM1": Path("a/IM1.png"), "im2": Path("b/im2.png")}
    assert faults == [
        "b/im1.png: is a second image of case 'im1', besides a/IM1.png (upper and lower case count as "
        "equal); rename or remove one"
    ]
