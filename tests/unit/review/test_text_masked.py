"""Text in the pixels of an image is in no file for people if the config says so, and is there if not."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from samcarry.formats.cvat import read_cvat
from samcarry.images.grey import resize_grey, write_grey
from samcarry.images.text import mask_text
from samcarry.review.first_images import TILE, FirstImage, draw_contact_sheet, pooled_embeddings
from samcarry.review.page import render_review, review_cases
from samcarry.review.tasks import write_task
from samcarry.storage.filled import is_filled
from samcarry.storage.stacks import Stack, write_stack
from support.burned_text import burn, pictures_in, radiograph, share_shown

CASES, CLASSES = ("named", "plain"), ("Radius",)
PLAIN = {"named": radiograph(), "plain": radiograph(seed=1)}
SHOWN = {**PLAIN, "named": burn(PLAIN["named"], "DOE, Maria\n12.03.1978", (8, 8))}
NOTE = "Filled with grey: 2 lines of text near the borders of this image"

both = pytest.mark.parametrize("text_masked", [False, True])


def assert_shown(picture, text_masked):
    share = share_shown(picture, PLAIN["named"], SHOWN["named"])
    assert share < 0.02 if text_masked else share > 0.98


@pytest.fixture
def study(tmp_path):
    """Two images, of which the first has text, and stacks of P and R with a square."""
    for case, image in SHOWN.items():
        write_grey(tmp_path / f"{case}.png", image)
    masks = np.zeros((2, 1, 32, 40), np.uint8)
    masks[:, :, 8:20, 10:30] = 1
    write_stack(tmp_path / "r.nii.gz", Stack(masks, "mask", CASES, CLASSES))
    write_stack(tmp_path / "p.nii.gz", Stack(masks * 255, "probability", CASES, CLASSES))
    return tmp_path


def images(study: Path):
    return {case: study / f"{case}.png" for case in CASES}


@both
def test_the_review_page(study, text_masked):
    ranking = pd.DataFrame({"case": CASES, "rank": [1, 2], "doubt": [0.9, 0.5], "reason": ["x", "y"]})
    cases = review_cases(
        ranking,
        pd.DataFrame({"case": [], "class": [], "doubt": []}),
        images=images(study),
        window=None,
        text_masked=text_masked,
        refined=[str(study / "r.nii.gz")],
        probabilities=[str(study / "p.nii.gz")],
        classes=CLASSES,
    )
    about = {"size": (32, 40), "dataset": "mine", "n": 1, "seed": 0, "total": 2, "task": None}
    page = render_review(cases, CLASSES, **about)
    named, plain = pictures_in(page)
    assert named.shape == plain.shape == (512, 640)  # small images are shown enlarged
    assert_shown(named, text_masked)
    assert [case.size for case in cases] == [PLAIN["named"].shape] * 2
    first, second = page.split("<article")[1:]
    assert (NOTE in first) == text_masked
    assert "Filled with grey" not in second


def task(study, text_masked):
    return {
        "cases": CASES,
        "images": images(study),
        "window": None,
        "text_masked": text_masked,
        "refined": [study / "r.nii.gz"],
        "classes": CLASSES,
        "mirrored": (),
        "sheet": study / "task/cases.csv",
        "archive": study / "task/images.zip",
        "annotations": study / "task/annotations.xml",
    }


def unpacked(archive):
    with zipfile.ZipFile(archive) as content:
        return {name: np.array(Image.open(io.BytesIO(content.read(name)))) for name in content.namelist()}


@both
def test_the_images_of_a_task_for_cvat(study, text_masked, caplog):
    caplog.set_level("INFO")
    write_task(**task(study, text_masked))
    pictures = unpacked(study / "task/images.zip")
    assert_shown(pictures["named.png"], text_masked)
    assert np.array_equal(pictures["plain.png"], SHOWN["plain"])
    # The masks fit, pixel by pixel.
    assert {image.size for image in read_cvat(study / "task/annotations.xml")} == {PLAIN["named"].shape}
    assert ("filled with grey (images.mask_text) in the images of named" in caplog.text) == text_masked


def test_a_task_that_shows_text_is_kept_and_named_until_it_is_deleted(study):
    archive = study / "task/images.zip"
    write_task(**task(study, False))
    before = archive.read_bytes()
    write_task(**task(study, True))
    assert archive.read_bytes() == before
    assert not is_filled(archive)
    archive.unlink()
    write_task(**task(study, True))
    assert is_filled(archive)
    assert_shown(unpacked(archive)["named.png"], True)


def first_images(study):
    return [FirstImage(case, case, path, False, {}) for case, path in images(study).items()]


@both
def test_the_contact_sheet(study, text_masked):
    draw_contact_sheet(study / "sheet.png", first_images(study), None, text_masked)
    sheet = np.array(Image.open(study / "sheet.png"))
    height = round(TILE * PLAIN["named"].shape[0] / PLAIN["named"].shape[1])
    top = 8 + (TILE - height) // 2
    assert_shown(sheet[top : top + height, 8 : 8 + TILE], text_masked)
    below = sheet[8 + TILE + 18 :]
    assert (below[:, : 8 + TILE].min() < 128) == text_masked  # the line that says so, below this image only
    assert below[:, 16 + TILE :].min() == 255


@both
def test_the_choice_of_first_images(study, text_masked):
    """Features of an image show much of it, so SAM sees no text that people are not to see."""
    seen = []

    def embed(greys):
        for grey in greys:
            seen.append(grey)
            yield np.zeros((2, 1, 1))

    options = {"size": (64, 80), "window": None, "text_masked": text_masked, "sam_id": "tiny"}
    pooled_embeddings(first_images(study), embed, study / "cache", **options)
    expected = mask_text(SHOWN["named"], True)[0] if text_masked else SHOWN["named"]
    assert np.array_equal(seen[0], resize_grey(expected, 64, 80))
