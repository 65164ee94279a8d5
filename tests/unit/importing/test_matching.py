"""Annotations are put on the image of their whole path, or of its end if nothing else can be meant."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samcarry.geometry.shapes import Annotation
from samcarry.importing.matching import Match, match_images

FOLDER = Path("images")
DECOMPOSED = unicodedata.normalize("NFD", "f\u00e9mur/\u00e9 1.png")


def annotations(*names: str, source: str = "a.json", **how) -> list[Annotation]:
    return [Annotation(Path(source), name, None, (), **how) for name in names]


def matched(names, images, **how):
    """The case of each name, and the faults."""
    faults: list[str] = []
    of_case = {Path(path).stem: path for path in images}
    found = match_images(annotations(*names), of_case, FOLDER, faults, **how)
    return [match and match.case for match in found], faults


@pytest.mark.parametrize(
    ("name", "image", "case"),
    [
        ("a.png", "a.png", "a"),
        ("a.png", "a.dcm", "a"),  # annotated as a copy in another format
        ("deep/er/a.b.PNG", "deep/er/a.b.jpg", "a.b"),
        ("deep\\a.dcm", "deep/a.dcm", "a"),
        ("./deep//a.png", "deep/a.png", "a"),
        ("a.b", "a.b.png", "a.b"),  # not the suffix of an image
        ("a\u0308.png", "\u00e4.png", "\u00e4"),
        ("f\u00e9mur/\u00e9 1.png", DECOMPOSED, unicodedata.normalize("NFD", "\u00e9 1")),
    ],
)
def test_the_whole_path_without_suffix_decides(name, image, case, caplog):
    faults: list[str] = []
    (match,) = match_images(annotations(name), {case: image}, FOLDER, faults)
    assert (match.case, match.exact, faults, caplog.text) == (case, True, [], "")


@pytest.mark.parametrize(
    ("name", "image"), [("a.png", "p1/a.png"), ("p1/a.png", "a.png"), ("x/p1/a.png", "p1/a.png")]
)
def test_the_end_of_a_path_decides_if_nothing_else_can_be_meant_and_this_is_logged(name, image, caplog):
    faults: list[str] = []
    found = match_images(annotations(name, "b.png"), {"a": image, "b": "b.png"}, FOLDER, faults)
    assert found == [Match(name.removesuffix(".png"), "a", False), Match("b", "b", True)]
    assert not faults
    assert "1 annotated images are named without their folders or with further ones" in caplog.text
    assert f"{name.removesuffix('.png')} -> {image}" in caplog.text


def test_a_namesake_in_another_folder_is_refused_with_both_names():
    cases, (fault,) = matched(["patientA/IM0001.png"], ["patientB/IM0001.png"])
    assert cases == [None]
    assert fault == (
        "a.json: image 'patientA/IM0001' has no file, and images/patientB/IM0001.png of the same name is in "
        "another folder; correct one of the two folders, or leave this image out"
    )


def test_a_namesake_whose_own_image_is_there_is_only_missing():
    names, images = ["patientA/IM0001.png", "patientB/IM0001.png"], ["patientB/IM0001.png"]
    assert matched(names, images) == ([None, "IM0001"], [])
    assert matched(names[::-1], images) == (["IM0001", None], [])


@pytest.mark.parametrize(
    ("names", "image"),
    [
        (["patientA/IM1.png", "patientB/IM1.png"], "IM1.png"),
        (["IM1.png", "patientB/IM1.png"], "IM1.png"),
        (["IM1.png", "patientB/IM1.png"], "patientB/IM1.png"),
        (["IM1.png", "patientA/IM1.png"], "patientB/IM1.png"),
        (["IM1.png", "cohort/patientB/IM1.png"], "patientB/IM1.png"),
    ],
)
def test_an_end_that_two_annotated_names_have_is_refused_with_both(names, image):
    for order in (names, names[::-1]):
        cases, faults = matched(order, [image])
        assert cases.count("IM1") == (image in names)  # only that of the whole path
        assert faults
        for fault in faults:
            assert f"images/{image}" in fault
            assert "\n" not in fault
        assert any(all(repr(name.removesuffix(".png")) in fault for name in names) for fault in faults) or (
            "is in another folder" in " ".join(faults)
        )


def test_only_whole_folders_count_as_an_end():
    cases, faults = matched(["tA/IM1.png"], ["patientA/IM1.png"])
    assert (cases, len(faults)) == ([None], 1)


def test_an_image_that_does_not_exist_is_missing():
    assert matched(["b.png", "deep/c.png"], ["a.png"]) == ([None, None], [])


def test_files_beside_the_images_tell_the_folder_of_the_image():
    for folder, expected in (
        ("patientB", True),
        (unicodedata.normalize("NFD", "patientB"), True),
        ("x", None),
    ):
        faults: list[str] = []
        (match,) = match_images(annotations("a.png", folder=folder), {"a": "patientB/a.png"}, FOLDER, faults)
        assert (match and match.exact) == expected
        assert bool(faults) == (expected is None)


@pytest.mark.parametrize(("place", "case"), [("p1/x.json", "a"), ("p2/x.json", None)])
def test_names_relative_to_their_own_file_are_followed(tmp_path, place, case):
    (tmp_path / "p1").mkdir()
    faults: list[str] = []
    entry = annotations("a.png", source=str(tmp_path / place), relative=True)
    (match,) = match_images(entry, {"a": "p1/a.png"}, tmp_path, faults)
    assert (match and match.case) == case
    assert bool(faults) == (case is None)


def test_names_relative_to_their_own_file_may_be_those_of_moved_images(tmp_path):
    entry = annotations("a.png", source=str(tmp_path / "labelme/x.json"), relative=True, folder=".")
    assert match_images(entry, {"a": "a.png"}, tmp_path / "images", [])[0] == Match("a", "a", True)


def test_a_task_names_images_by_their_cases():
    images = ["patientB/IM1.png", "b.png"]
    assert matched(["IM1.png", "b.png"], images, by_case=True) == (["IM1", "b"], [])
    assert matched(["patientB/IM1.png"], images, by_case=True) == (["IM1"], [])
    cases, faults = matched(["patientA/IM1.png"], images, by_case=True)
    assert (cases, len(faults)) == ([None], 1)


PATHS = st.lists(st.sampled_from(("a", "b", "IM")), min_size=1, max_size=3).map("/".join)


@given(st.lists(PATHS, min_size=1, max_size=4), st.lists(PATHS, max_size=4))
def test_no_image_gets_two_names_and_no_name_an_image_of_other_folders(names, images):
    unique = list({path.rpartition("/")[2]: path for path in images}.values())
    of_case = {path.rpartition("/")[2]: path for path in unique}
    faults: list[str] = []
    found = match_images(annotations(*names), of_case, FOLDER, faults)
    got: dict[str, set[str]] = {}
    for name, match in zip(names, found, strict=True):
        if match is None:
            continue
        assert match.name == name
        if match.case is not None:
            got.setdefault(match.case, set()).add(name)
            one, other = name.split("/")[::-1], of_case[match.case].split("/")[::-1]
            assert all(a == b for a, b in zip(one, other, strict=False))
            assert match.exact == (one == other)
    assert all(len(of_case) == 1 for of_case in got.values())
    assert bool(faults) == (None in found)
