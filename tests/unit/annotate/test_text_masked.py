"""Text in the pixels of an image is not on annotation pages if the config says so, and is there if not."""

import json
import re

import numpy as np
import pytest

from samcarry.annotate.cases import write_annotator
from samcarry.images.grey import write_grey
from samcarry.images.text import mask_text
from samcarry.storage.filled import HTML_MARK, is_filled
from support.browser import Annotator, needs_browser, open_page
from support.burned_text import burn, pictures_in, radiograph, share_shown

PLAIN = radiograph(120, 240)
BURNED = burn(PLAIN, "DOE, Maria\n12.03.1978", (8, 8))
NOTE = "Filled with grey: 2 lines of text near the borders of this image (config key images.mask_text)."


@pytest.fixture
def study(tmp_path):
    """An image with text, one without, and the first one as it is with its text filled."""
    for name, image in {
        "named": BURNED,
        "plain": radiograph(120, 240, 1),
        "filled": mask_text(BURNED, True)[0],
    }.items():
        write_grey(tmp_path / f"{name}.png", image)
    return tmp_path


@pytest.fixture
def write(study, tiny):
    """A function that writes the page of some cases; each starts with a mask."""
    start = np.zeros((1, *PLAIN.shape), bool)
    start[:, 60:100, 30:90] = True

    def make(text_masked, task="task-1", cases=("named", "plain"), path=None):
        path = path or study / f"{task}-{text_masked}.html"
        write_annotator(
            path,
            cases,
            {case: study / f"{case}.png" for case in cases},
            {} if task == "first" else dict.fromkeys(cases, start),
            dataset="mine",
            task=task,
            classes=["Radius"],
            sam=tiny,
            window=None,
            text_masked=text_masked,
            precision="float32",
        )
        return path

    return make


def described(page):
    return json.loads(re.search(r'<script type="application/json" id="page">(.*?)</script>', page)[1])


def embeddings(page):
    return re.findall(r'id="embedding-0-\d+">(.*?)</script>', page, re.DOTALL)


@pytest.mark.parametrize("task", ["task-1", "first"])
@pytest.mark.parametrize("text_masked", [False, True])
def test_a_page_shows_text_unless_it_is_masked(write, task, text_masked):
    named, plain = pictures_in(write(text_masked, task).read_text())
    assert named.shape == plain.shape == PLAIN.shape
    share = share_shown(named, PLAIN, BURNED)
    assert share < 0.02 if text_masked else share > 0.98


def test_masks_and_kept_work_fit_the_page_with_and_without_text(write):
    with_text, without = (described(write(text_masked).read_text()) for text_masked in (False, True))
    assert without["cases"] == with_text["cases"]
    assert without["id"] == with_text["id"]
    assert with_text["notes"] == ["", ""]
    assert without["notes"] == [NOTE, ""]


def test_features_of_the_text_are_not_on_the_page(write):
    """SAM has seen the filled image, so that nobody can recover the text from its embedding."""
    without = embeddings(write(True, cases=["named"]).read_text())
    assert without == embeddings(write(False, "filled", cases=["filled"]).read_text())
    assert without != embeddings(write(False, cases=["named"]).read_text())


def test_a_page_that_shows_text_is_kept_and_named_until_it_is_deleted(write):
    page = write(False, cases=["named"])
    before = page.read_bytes()
    write(True, cases=["named"], path=page)
    assert page.read_bytes() == before
    assert not is_filled(page)
    page.unlink()
    write(True, cases=["named"], path=page)
    assert is_filled(page)


def test_a_name_cannot_pretend_that_text_is_filled(study, tiny):
    page = study / "annotate.html"
    options = {"dataset": HTML_MARK, "task": HTML_MARK, "classes": ["a"], "sam": tiny, "precision": "float32"}
    write_annotator(
        page, [HTML_MARK], {HTML_MARK: study / "named.png"}, {}, window=None, text_masked=False, **options
    )
    assert not is_filled(page)


@needs_browser
def test_the_page_says_so_of_this_image_only(write, browser):
    annotator = Annotator(open_page(browser, write(True)))
    lines = annotator.page.locator('#warnings [data-kind="text"]')
    assert lines.all_inner_texts() == [NOTE]
    annotator.press("PageDown")
    annotator.page.wait_for_function("samcarry.app.number === 1")
    assert lines.all_inner_texts() == []
    annotator.press("PageUp")
    annotator.page.wait_for_function("samcarry.app.number === 0")
    assert lines.all_inner_texts() == [NOTE]
    annotator.page.close()
