"""The review page shows the most doubtful cases first, works offline, escapes all text and keeps marks."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from samcarry.review.marks import MARKS, read_sent
from samcarry.review.page import MOST_PIXELS, PREDICTED, REFINED, render_review, review_cases
from samcarry.storage.sheets import read_sheet
from samcarry.storage.stacks import Stack, write_stack
from support.browser import needs_browser

CLASSES = ("Radius", "<b>Ulna</b>", "=1+1", "constructor")
CASES = ("a", "b", "=c")
ABOUT = {"dataset": "<u>demo</u>", "n": 8, "seed": 0, "total": 3, "size": (24, 20)}


@pytest.fixture
def page(tmp_path):
    """A function that renders the page with a given number of cases; R of later calls can be another one."""
    rng = np.random.default_rng(0)
    masks = (rng.random((3, 4, 24, 20)) > 0.5).astype(np.uint8)
    write_stack(tmp_path / "p.nii.gz", Stack(masks * 255, "probability", CASES, CLASSES))
    for case in CASES:
        Image.fromarray(rng.integers(0, 255, (900, 3000), np.uint8)).save(tmp_path / f"{case}.png")
    reasons = ["<i>first</i>; second", "third", ""]
    ranking = pd.DataFrame(
        {"case": ["=c", "a", "b"], "rank": [1, 2, 3], "doubt": [0.9, 0.5, 0.1], "reason": reasons}
    )
    of_class = pd.DataFrame({"case": ["=c", "a"], "class": CLASSES[:2], "doubt": [0.75, 0.5]})

    def make(shown, task=None, refined=masks):
        write_stack(tmp_path / "r.nii.gz", Stack(refined, "mask", CASES, CLASSES))
        cases = review_cases(
            ranking,
            of_class,
            images={case: tmp_path / f"{case}.png" for case in ranking["case"].head(shown)},
            window=None,
            text_masked=False,
            refined=[str(tmp_path / "r.nii.gz")],
            probabilities=[str(tmp_path / "p.nii.gz")],
            classes=CLASSES,
        )
        return render_review(cases, CLASSES, **ABOUT, task=task)

    make.masks = masks
    return make


def test_the_most_doubtful_cases_come_first_with_their_reasons(page):
    html = page(3)
    assert re.findall(r'data-name="([^"]+)"', html) == ["=c", "a", "b"]
    assert "<li>&lt;i&gt;first&lt;/i&gt;</li>" in html
    assert "<li>second</li>" in html


def test_the_number_of_cases_is_limited(page):
    html = page(1)
    assert re.findall(r'data-name="([^"]+)"', html) == ["=c"]
    assert "The 1 most doubtful of 3 unlabelled cases" in html
    assert len(html) < len(page(3))


def test_the_page_loads_nothing_and_escapes_every_name(page):
    html = page(3)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    for raw in ("<b>Ulna", "<u>demo", "<i>first"):
        assert raw not in html


def test_r_and_p_are_drawn_and_classes_can_be_chosen(page):
    html = page(3)
    assert html.count(f"<figcaption>{REFINED.replace(chr(39), '&#39;')}</figcaption>") == 3
    assert html.count(f"<figcaption>{PREDICTED.replace(chr(39), '&#39;')}</figcaption>") == 3
    assert html.count('class="k k0"') == html.count('class="k k1"') == 6
    assert re.search(r'data-doubt="\{&#34;0&#34;: 0.75\}"|data-doubt="\{&quot;0&quot;: 0.75\}"', html)


def test_the_page_explains_p_and_r_once(page):
    html = page(3)
    assert html.count("(P)</b>") == html.count("(R)</b>") == 1


def test_a_page_without_cases_says_so():
    assert "There are no unlabelled cases." in render_review([], CLASSES, **ABOUT, task=None)


def test_the_page_links_to_the_task_that_the_config_names(page):
    assert "Open the task" not in page(1)
    assert 'href="https://cvat.example/tasks/7?a=1&amp;b=2"' in page(
        1, "https://cvat.example/tasks/7?a=1&b=2"
    )


@pytest.fixture
def opened(page, browser, tmp_path):
    """A function that opens the page in a window of a given width; windows share what the browser keeps."""
    context = browser.new_context(accept_downloads=True)
    faults = []

    def make(html, width=1280):
        (tmp_path / "index.html").write_text(html)
        window = context.new_page()
        window.set_viewport_size({"width": width, "height": 800})
        window.on("pageerror", lambda error: faults.append(str(error)))
        window.goto((tmp_path / "index.html").as_uri())
        return window

    yield make
    context.close()
    assert not faults


def mark(window, name, value):
    row = window.locator(".marks li").nth(["", *CLASSES].index(name))
    row.get_by_role("button", name=value, exact=True).click()


def marked(window):
    """The marks of the case in sight as (class, mark)."""
    return window.evaluate(
        """() => [...document.querySelectorAll(".marks [data-mark][aria-pressed=true]")]
            .map((b) => [b.parentNode.dataset.class, b.dataset.mark])"""
    )


def save(window, path):
    with window.expect_download() as download:
        window.get_by_role("button", name="Save marks").click()
    assert download.value.suggested_filename == "review.csv"
    download.value.save_as(path)
    return [tuple(row.values()) for row in read_sheet(path, ["case", "class", "mark"])]


@needs_browser
def test_marks_survive_a_reload_and_are_saved_for_new_tasks(page, opened, tmp_path):
    window = opened(page(3))
    mark(window, "=1+1", "wrong")
    mark(window, "<b>Ulna</b>", "fine")
    mark(window, "<b>Ulna</b>", "fine")  # which takes it back
    mark(window, "constructor", "send to CVAT")
    window.keyboard.press("ArrowRight")
    assert marked(window) == []
    window.keyboard.press("1")
    window.keyboard.press("ArrowRight")
    window.keyboard.press("3")
    window.reload()
    assert marked(window) == [["=1+1", "wrong"], ["constructor", "send to CVAT"]]
    rows = save(window, tmp_path / "review.csv")
    assert rows == [
        ("=c", "=1+1", "wrong"),
        ("=c", "constructor", "send to CVAT"),
        ("a", "", "fine"),
        ("b", "", "send to CVAT"),
    ]
    assert "'=c,'=1+1,wrong" in (tmp_path / "review.csv").read_text()
    assert read_sent(tmp_path / "review.csv", ["b", "a", "=c"], set(CASES)) == ["b", "=c"]


@needs_browser
def test_a_mark_is_not_taken_over_to_masks_that_changed(page, opened, tmp_path):
    window = opened(page(3))
    mark(window, "Radius", "fine")
    other = page.masks.copy()
    other[2, 1, 3, 3] ^= 1  # of "=c", which is shown first
    changed = opened(page(3, refined=other))
    assert marked(changed) == []
    assert marked(opened(page(1))) == [["Radius", "fine"]]


@needs_browser
def test_a_second_window_shows_the_marks_of_the_first(page, opened):
    html = page(3)
    first, second = opened(html), opened(html)
    mark(first, "Radius", "wrong")
    second.wait_for_selector(".marks [aria-pressed=true]")
    assert marked(second) == [["Radius", "wrong"]]


@needs_browser
def test_without_storage_the_page_asks_to_save(page, opened):
    refuse = "<script>Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } });"
    html = page(1).replace("<script>", refuse, 1)
    window = opened(html)
    mark(window, "Radius", "wrong")
    assert marked(window) == [["Radius", "wrong"]]
    assert "save them before you close the page" in window.inner_text(".kept")


@needs_browser
def test_one_class_can_be_seen_alone(page, opened):
    window = opened(page(3))

    def seen():
        return window.evaluate(
            """() => [...new Set([...document.querySelectorAll(".shown .k")]
                .filter((k) => getComputedStyle(k).visibility === "visible")
                .map((k) => k.classList[1]))].sort()"""
        )

    assert seen() == ["k0", "k1", "k2", "k3"]
    window.get_by_role("button", name="Radius").click()
    assert seen() == ["k0"]
    window.keyboard.press("2")
    assert marked(window) == [["Radius", "wrong"]]
    window.get_by_role("button", name="Radius").click()
    assert seen() == ["k0", "k1", "k2", "k3"]
    window.select_option("select.class", "1")
    assert seen() == ["k1"]
    assert window.locator("h2:visible").inner_text().startswith("2. a")


@needs_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_pictures_have_the_aspect_and_the_pixels_of_the_image(page, opened, width):
    window = opened(page(3), width)
    tile = window.locator(".shown .tile").first
    box = tile.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(3000 / 900, rel=0.02)
    natural = window.evaluate(
        """async () => {
            const image = new Image();
            const url = getComputedStyle(document.querySelector(".shown")).getPropertyValue("--picture");
            image.src = url.slice(4, -1).replaceAll('"', "");
            await image.decode();
            return [image.naturalWidth, image.naturalHeight];
        }"""
    )
    assert natural == [MOST_PIXELS, round(900 * MOST_PIXELS / 3000)]
    tile.click()
    tile.click()
    assert tile.bounding_box()["width"] == 3000
    assert window.evaluate("document.documentElement.scrollWidth") == width
    tile.click()
    assert tile.bounding_box()["width"] == box["width"]


def test_the_page_offers_the_marks_that_are_read(page):
    for value in MARKS:
        assert value in page(1)
