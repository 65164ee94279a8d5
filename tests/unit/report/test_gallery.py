"""Gallery: contours match masks, prompts are in place, and the chosen cases are shown in order."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from samcarry.prompting.prompts import extract_prompts, write_prompts
from samcarry.report.gallery import Stage, gallery_cases, outline, webp
from samcarry.storage.stacks import Stack, write_stack

CLASSES = ["Radius", "<b>Ulna</b>"]


def points(path):
    return np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path), dtype=float)


def area(path):
    """Area that closed paths enclose, by the shoelace formula."""
    total = 0.0
    for part in path.split("M")[1:]:
        x, y = points(part).T
        total += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return total


def test_an_outline_runs_around_its_pixels():
    mask = np.zeros((30, 20), bool)
    mask[5:15, 4:10] = True
    corners = points(outline(mask))
    assert corners.min(axis=0) == pytest.approx([4, 5], abs=0.51)
    assert corners.max(axis=0) == pytest.approx([10, 15], abs=0.51)
    assert area(outline(mask)) == pytest.approx(60, rel=0.02)


def test_an_outline_closes_at_the_border_of_the_image():
    mask = np.zeros((30, 20), bool)
    mask[:, :3] = True
    assert area(outline(mask)) == pytest.approx(90, rel=0.02)
    assert points(outline(mask)).min(axis=0) == pytest.approx([0, 0], abs=0.51)


def test_each_piece_has_an_outline_and_an_empty_mask_has_none():
    mask = np.zeros((30, 20), bool)
    mask[2:6, 2:6] = mask[12:16, 2:6] = True
    assert outline(mask).count("M") == outline(mask).count("Z") == 2
    assert outline(np.zeros((5, 5), bool)) == ""


def test_the_image_is_enlarged_at_its_own_aspect():
    with Image.open(io.BytesIO(webp(np.full((128, 80), 7, np.uint8)))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (400, 640))


@pytest.fixture
def files(tmp_path):
    """Stacks of two cases in which class 0 is present, class 1 in case 'b' of the prediction only."""
    reference = np.zeros((2, 2, 30, 20), np.uint8)
    reference[:, 0, 5:15, 5:12] = 1
    predicted = reference.copy()
    predicted[1, 1, 20:25, 2:8] = 1
    write_stack(tmp_path / "i.nii.gz", Stack(np.full((2, 30, 20), 90, np.uint8), "image", ("a", "b")))
    for name, values in {"m": reference, "p": predicted}.items():
        write_stack(tmp_path / f"{name}.nii.gz", Stack(values, "mask", ("a", "b"), tuple(CLASSES)))
    prompts = {case: extract_prompts(masks > 0) for case, masks in zip("ab", predicted, strict=True)}
    write_prompts(tmp_path / "q.json", prompts, CLASSES)
    return {path.name.split(".")[0]: [str(path)] for path in tmp_path.iterdir()}


def test_cases_keep_the_given_order_with_reference_and_stages(files):
    chosen = {"b": "second", "a": "first"}
    found = gallery_cases(files["i"], files["m"], [Stage("P", files["p"])], chosen, CLASSES)
    assert [(entry.case, entry.note) for entry in found] == [("b", "second"), ("a", "first")]
    assert {entry.size for entry in found} == {(30, 20)}
    assert [[tile.title for tile in entry.tiles] for entry in found] == [["reference", "P"]] * 2


def test_labels_name_class_and_dice_or_say_that_the_reference_lacks_the_class(files):
    (entry,) = gallery_cases(files["i"], files["m"], [Stage("P", files["p"])], {"b": ""}, CLASSES)
    labels = [shape.label for shape in entry.tiles[1].shapes]
    assert labels == ["Radius: Dice 100.0 %", "<b>Ulna</b>: not in the reference"]
    assert entry.tiles[1].score == "100.0"


def test_prompts_are_drawn_where_they_were_set(files):
    stage = Stage("cleaned", files["p"], files["q"])
    (entry,) = gallery_cases(files["i"], [], [stage], {"b": ""}, CLASSES)
    assert entry.tiles[0].boxes[0] == (0, "M5 5H12V15H5Z")
    assert entry.tiles[0].points[1] == (1, "M5.0 22.5h0")


def test_without_a_reference_there_is_no_reference_and_no_dice(files):
    (entry,) = gallery_cases(files["i"], [], [Stage("P", files["p"])], {"a": ""}, CLASSES)
    assert [(tile.title, tile.score) for tile in entry.tiles] == [("P", "")]
    assert entry.tiles[0].shapes[0].label == "Radius"
