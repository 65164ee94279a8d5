"""Annotation tasks: which cases they contain, what is in their files, and that no file is replaced."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from samcarry.data.manifest import ManifestRow
from samcarry.errors import InputError
from samcarry.formats.cvat import read_cvat
from samcarry.geometry.rasterise import draw_masks
from samcarry.review.tasks import read_task, task_cases, write_task
from samcarry.storage.stacks import Stack, write_stack

CLASSES = ("Radius", "Ulna")
CASES = ("a", "b", "c")


def row(case, split="unlabelled", patient=None):
    return ManifestRow(case, f"{split}-0000", split, patient or case, None, f"images/{case}.png", "", ())


MANIFEST = [*map(row, CASES), row("d", patient="tested"), row("t", "test", "tested"), row("e", "train")]


def test_a_task_takes_the_most_doubtful_cases_that_may_join_training():
    assert task_cases(["t", "d", "c", "e", "a", "b"], MANIFEST, [], 2) == ["c", "a"]


def test_a_later_task_contains_no_case_of_an_earlier_one():
    assert task_cases(["c", "a", "b"], MANIFEST, ["c"], 2) == ["a", "b"]
    with pytest.raises(InputError, match="no unlabelled case is left for a task"):
        task_cases(["c", "a", "b"], MANIFEST, CASES, 2)


@pytest.fixture
def parts(tmp_path):
    refined = np.zeros((3, 2, 10, 8), np.uint8)
    refined[:, 0, 2:6, 3:5] = 1
    write_stack(tmp_path / "r.nii.gz", Stack(refined, "mask", CASES, CLASSES))
    for case in CASES:
        Image.fromarray(np.full((20, 16), 3000, np.uint16)).save(tmp_path / f"{case}.tif")
    return {
        "images": {case: tmp_path / f"{case}.tif" for case in CASES},
        "window": None,
        "text_masked": False,
        "refined": [tmp_path / "r.nii.gz"],
        "classes": CLASSES,
        "mirrored": (),
        "sheet": tmp_path / "task/cases.csv",
        "archive": tmp_path / "task/images.zip",
        "annotations": tmp_path / "task/annotations.xml",
    }


def test_a_task_contains_images_and_r_at_their_original_size(parts):
    write_task(cases=["c", "a"], **parts)
    with zipfile.ZipFile(parts["archive"]) as archive:
        assert archive.namelist() == ["c.png", "a.png"]
        with archive.open("a.png") as stream:
            picture = Image.open(stream)
            assert (picture.size, picture.mode) == ((16, 20), "L")
    images = read_cvat(parts["annotations"])
    assert [(image.name, image.size) for image in images] == [("c.png", (20, 16)), ("a.png", (20, 16))]
    masks = draw_masks(images[0], 20, 16, [])
    assert list(masks) == ["Radius"]
    assert masks["Radius"][8, 8]
    assert masks["Radius"].sum() == pytest.approx(32, abs=8)
    assert read_task([parts["sheet"]]) == ["c", "a"]


def test_an_existing_task_is_never_replaced(parts):
    write_task(cases=["c", "a"], **parts)
    files = [parts[name] for name in ("sheet", "archive", "annotations")]
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    write_task(cases=["b"], **parts)
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before


def test_a_lost_file_is_written_again_for_the_same_cases(parts):
    write_task(cases=["c", "a"], **parts)
    parts["archive"].unlink()
    write_task(cases=["b"], **parts)
    with zipfile.ZipFile(parts["archive"]) as archive:
        assert archive.namelist() == ["c.png", "a.png"]


def test_the_names_of_pictures_say_which_an_import_has_mirrored(parts):
    write_task(cases=["c", "a"], **{**parts, "mirrored": {"a"}})
    with zipfile.ZipFile(parts["archive"]) as archive:
        assert archive.namelist() == ["c.png", "a.mirrored.png"]
    assert [image.name for image in read_cvat(parts["annotations"])] == ["c.png", "a.mirrored.png"]
    assert read_task([parts["sheet"]]) == ["c", "a"]
