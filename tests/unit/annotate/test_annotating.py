"""What an annotator does on the page, in a real browser, and what comes back in the saved file."""

import csv
import re

import numpy as np
import pytest

from samcarry.errors import InputError
from samcarry.formats.page_file import read_page_file
from samcarry.geometry.rasterise import fill_polygon
from samcarry.images.masks import read_mask
from samcarry.review.corrections import apply_corrections
from support.browser import Annotator, needs_browser, open_page

pytestmark = needs_browser
SIZE = (120, 160)
SPLITS = {"val_fraction": 0.0, "test_fraction": 0.0, "seed": 0}


@pytest.fixture
def annotator(browser, page_file):
    """A person at the page, in a browser that knows nothing of earlier ones."""
    context = browser.new_context(accept_downloads=True)
    page = open_page(context, page_file)
    yield Annotator(page)
    context.close()


def corrected_masks(study, file, tmp_path, case):
    """The labels of a case after its correction, {class: mask}."""
    apply_corrections(study, [file], tmp_path / "corrected", splits=SPLITS)
    return {path.stem: read_mask(path) for path in (tmp_path / f"corrected/labels/{case}").glob("*.png")}


def as_mask(pixels):
    return np.array(pixels, bool).reshape(SIZE)


def test_a_click_a_box_and_the_confirmed_rest_come_back_pixel_by_pixel(annotator, study, tmp_path):
    annotator.choose("Ulna")
    annotator.waiting_for_sam(annotator.drag, (92, 32), (120, 60), (138, 80))
    annotator.waiting_for_sam(annotator.click, 118, 60)
    annotator.waiting_for_sam(annotator.click, 97, 75, button="right")
    assert annotator.state("Ulna") == "corrected"
    shown = {name: as_mask(annotator.mask(name)) for name in ("Radius", "Ulna")}
    assert shown["Ulna"][60, 118]
    assert not shown["Ulna"][75, 97]
    annotator.finish()
    file = annotator.save(tmp_path)
    found = corrected_masks(study, file, tmp_path, "c")
    assert {name: mask.tolist() for name, mask in found.items()} == {
        name: mask.tolist() for name, mask in shown.items()
    }
    assert read_page_file(file).images.keys() == {"c.png"}  # d is not finished


def test_a_drawn_polygon_is_that_of_python(annotator, study, tmp_path):
    annotator.choose("Ulna")
    annotator.press("p")
    corners = [(90.3, 40.2), (140.7, 44.9), (120.1, 90.4), (100.6, 70.8), (84.2, 88.7)]
    for corner in corners:
        annotator.click(*corner)
    # Mouse positions are whole pixels of the window, so the page says where the corners came to be.
    placed = annotator.page.evaluate("samcarry.tools.polygon.map(({ x, y }) => [x, y])")
    annotator.page.keyboard.press("Space")
    assert np.abs(np.array(placed) - corners).max() < 1
    annotator.finish()
    found = corrected_masks(study, annotator.save(tmp_path), tmp_path, "c")
    assert np.array_equal(found["Ulna"], fill_polygon(np.array(placed), *SIZE))


def test_brush_and_eraser_draw_discs_along_the_stroke(annotator, study, tmp_path):
    annotator.choose("Ulna")
    annotator.press("b")
    annotator.page.evaluate("samcarry.tools.setRadius(6)")
    annotator.drag((100, 50), (120, 50), (120, 70))
    annotator.press("e")
    annotator.drag((120, 70), (120, 70))
    shown = as_mask(annotator.mask("Ulna"))
    assert shown[50, 110]
    assert shown[55, 120]
    assert not shown[70, 120]
    assert not shown[40, 110]
    annotator.finish()
    assert np.array_equal(corrected_masks(study, annotator.save(tmp_path), tmp_path, "c")["Ulna"], shown)


def test_a_class_confirmed_as_absent_is_recorded_unlike_one_nobody_looked_at(annotator, study, tmp_path):
    annotator.press("1")
    assert annotator.state("Radius") == "untouched"
    annotator.press("x")
    assert annotator.state("Radius") == "absent"
    annotator.press("f")
    assert annotator.page.inner_text("#rest-absent") == "Ulna"
    annotator.page.click("#confirm-rest")
    file = annotator.save(tmp_path)
    assert read_page_file(file).images["c.png"].absent == ("Radius", "Ulna")
    assert corrected_masks(study, file, tmp_path, "c") == {}
    with (tmp_path / "corrected/cases.csv").open() as stream:
        rows = {row["case"]: row for row in csv.DictReader(stream)}
    assert rows["c"]["split"] == "train"
    assert rows["c"]["corrected_by"] == "A. Müller"
    assert float(rows["c"]["corrected_minutes"]) >= 0
    assert rows["a"]["corrected_by"] == ""


def test_undo_and_redo_have_no_limit_and_reopen_a_finished_case(annotator):
    annotator.press("b")
    masks = [annotator.mask("Radius")]
    for number in range(60):
        annotator.drag((10 + 2 * number, 10), (10 + 2 * number, 14))
        masks.append(annotator.mask("Radius"))
    annotator.finish()
    annotator.press("PageUp")
    assert annotator.page.evaluate("samcarry.app.work.finished") is not None
    for mask in reversed(masks[:-1]):
        annotator.press("Control+z")
        if mask is not masks[-2]:
            continue
    for _ in range(5):
        annotator.press("Control+z")
    assert annotator.mask("Radius") == masks[0]
    assert annotator.state("Radius") == "untouched"
    assert annotator.page.evaluate("samcarry.app.work.finished") is None
    for _ in range(62):
        annotator.press("Control+y")
    assert annotator.mask("Radius") == masks[-1]


def test_work_is_found_again_after_a_reload(annotator):
    annotator.choose("Ulna")
    annotator.waiting_for_sam(annotator.drag, (92, 32), (138, 80))
    annotator.page.fill("#annotator", "B. Jones")
    annotator.press("Tab")
    annotator.finish()
    annotator.kept()
    before = annotator.page.evaluate("JSON.stringify(samcarry.app.works[0].classes)")
    annotator.page.reload()
    annotator.page.wait_for_selector("html[data-ready]")
    assert annotator.page.evaluate("JSON.stringify(samcarry.app.works[0].classes)") == before
    assert annotator.page.evaluate("samcarry.app.finishedCount") == 1
    assert annotator.page.input_value("#annotator") == "B. Jones"
    assert annotator.page.evaluate("samcarry.app.number") == 1  # the case that was shown last


def test_a_second_window_never_overwrites_newer_work_without_a_message(browser, page_file):
    context = browser.new_context()
    one, other = (Annotator(open_page(context, page_file)) for _ in range(2))
    one.press("x")
    one.kept()
    other.press("v")
    other.page.wait_for_selector("#warnings [data-kind=store]")
    assert "another window" in other.page.inner_text("#warnings")
    one.page.reload()
    one.page.wait_for_selector("html[data-ready]")
    assert one.state("Radius") == "absent"
    context.close()


def test_the_keyboard_alone_suffices(annotator, tmp_path):
    """From the first key to the saved file, without a mouse."""
    page = annotator.page
    page.focus("#image")
    annotator.press("2")
    page.evaluate("samcarry.tools.cursor = { x: 92, y: 32 }")  # as many arrow keys would
    annotator.press("ArrowRight", "Space", *["ArrowRight"] * 40, *["ArrowDown"] * 44)
    annotator.waiting_for_sam(annotator.press, "Space")
    assert annotator.state("Ulna") == "corrected"
    annotator.waiting_for_sam(annotator.press, "Enter")
    annotator.press("b", "Enter", "ArrowLeft", "ArrowLeft", "Enter")
    annotator.press("p", "Enter", "Shift+ArrowLeft", "Enter", "Shift+ArrowUp", "Enter", "Space")
    assert page.evaluate("samcarry.app.work.done.length") == 4
    annotator.press("f")
    annotator.press("Enter")  # the first button of the dialog
    assert page.evaluate("samcarry.app.finishedCount") == 1
    page.focus("#annotator")
    page.keyboard.type("C. D.")
    annotator.press("Tab")
    with page.expect_download() as download:
        annotator.press("Control+s")
    download.value.save_as(tmp_path / "saved.xml")
    assert read_page_file(tmp_path / "saved.xml").annotator == "C. D."


def test_the_contour_of_the_neighbouring_case_can_be_copied(annotator):
    radius = annotator.mask("Radius")
    annotator.press("PageDown")
    annotator.press("1", "c")
    assert annotator.mask("Radius") == radius
    assert annotator.state("Radius") == "corrected"


def test_pauses_do_not_count_as_time(annotator):
    seconds = annotator.page.evaluate(
        """() => {
            const { clock } = samcarry.app;
            clock.stop();
            return [0, 4000, 9000, 200000, 201000].map((now) => clock.tick(now));
        }"""
    )
    assert seconds == [0, 4, 5, 0, 1]


def test_without_storage_the_page_says_so_and_the_file_can_be_saved(browser, page_file, study, tmp_path):
    context = browser.new_context(accept_downloads=True)
    context.add_init_script("Object.defineProperty(window, 'indexedDB', { value: undefined })")
    annotator = Annotator(open_page(context, page_file))
    assert "does not keep your work" in annotator.page.inner_text("#warnings")
    annotator.press("x")
    annotator.finish()
    assert corrected_masks(study, annotator.save(tmp_path), tmp_path, "c") == {}
    context.close()


def test_full_storage_is_reported_at_once_and_work_stays(browser, page_file, tmp_path):
    context = browser.new_context(accept_downloads=True)
    context.add_init_script(
        """IDBObjectStore.prototype.put = () => {
            throw new DOMException("The quota is used up", "QuotaExceededError");
        };"""
    )
    annotator = Annotator(open_page(context, page_file))
    annotator.press("x")
    annotator.page.wait_for_selector("#warnings [data-kind=store]")
    assert "could not keep the last change" in annotator.page.inner_text("#warnings")
    annotator.finish()
    assert read_page_file(annotator.save(tmp_path)).images["c.png"].absent == ("Radius", "Ulna")
    context.close()


def test_without_a_worker_the_plain_tools_work(browser, page_file):
    context = browser.new_context()
    context.add_init_script("window.Worker = function () { throw new Error('no workers here') }")
    annotator = Annotator(open_page(context, page_file))
    annotator.page.wait_for_selector("#warnings [data-kind=sam]")
    assert "no workers here" in annotator.page.inner_text("#warnings")
    annotator.press("b")
    annotator.drag((20, 100), (40, 100))
    assert annotator.state("Radius") == "corrected"
    context.close()


def test_the_page_is_usable_at_1024_by_768(browser, page_file):
    context = browser.new_context()
    page = open_page(context, page_file, 1024, 768)
    for selector in ("#save", "#finish", "[data-tool=pan]", "#masks", "#classes button"):
        box = page.locator(selector).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1024
        assert box["y"] + box["height"] <= 768
    image = page.locator("#image").bounding_box()
    assert image["width"] > 600
    assert image["height"] > 600
    assert page.evaluate("document.documentElement.scrollWidth") <= 1024
    context.close()


def test_two_people_who_correct_the_same_case_are_both_named(browser, page_file, study, tmp_path):
    files = []
    for name in ("A. Müller", "B. Jones"):
        context = browser.new_context(accept_downloads=True)
        annotator = Annotator(open_page(context, page_file))
        annotator.finish()
        (tmp_path / name).mkdir()
        files.append(annotator.save(tmp_path / name, name))
        context.close()
    with pytest.raises(InputError, match=r"\(by B\. Jones\).*also corrected in .*\(by A\. Müller\)"):
        apply_corrections(study, files, tmp_path / "corrected", splits=SPLITS)


def test_a_file_for_another_image_is_refused(annotator, study, tmp_path):
    annotator.finish()
    file = annotator.save(tmp_path)
    other = tmp_path / "other"
    for path in study.rglob("*.png"):
        (other / path.relative_to(study)).parent.mkdir(parents=True, exist_ok=True)
        (other / path.relative_to(study)).write_bytes(path.read_bytes())
    (other / "images/c.png").write_bytes((study / "images/d.png").read_bytes())
    with pytest.raises(InputError, match=re.escape("c.png, whose content differs")):
        apply_corrections(other, [file], tmp_path / "corrected", splits=SPLITS)


def test_nothing_is_labelled_yet(annotator, study, tmp_path):
    """The saved file holds the first labels of the study."""
    data = tmp_path / "unlabelled"
    (data / "images").mkdir(parents=True)
    for path in (study / "images").glob("*.png"):
        (data / "images" / path.name).write_bytes(path.read_bytes())
    annotator.finish()
    file = annotator.save(tmp_path)
    lines = apply_corrections(data, [file], tmp_path / "corrected", splits=SPLITS)
    assert lines[-1] == "1 corrected cases are the first labels, split by patient: 1 train, 0 val, 0 test"
    assert [path.name for path in (tmp_path / "corrected/labels/c").iterdir()] == ["Radius.png"]


def test_zoom_keeps_the_place_under_the_mouse_and_the_window_follows_a_drag(annotator):
    page = annotator.page
    x, y = annotator.place(100, 50)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(200)
    assert page.evaluate("samcarry.app.viewer.scale") > 10
    assert annotator.place(100, 50) == pytest.approx((x, y), abs=3)  # a wheel event has whole pixels
    annotator.press("l")
    annotator.drag((100, 50), (104, 50))
    low, high = page.evaluate("[samcarry.app.viewer.low, samcarry.app.viewer.high]")
    assert high - low > 255
    annotator.press("0")
    assert page.evaluate("samcarry.app.viewer.scale") < 10
    assert page.evaluate("samcarry.app.work.done.length") == 0


def overlay(annotator, x, y):
    """Red, green, blue and alpha of the painted masks at a pixel."""
    return annotator.page.evaluate(
        "([x, y]) => [...samcarry.app.viewer.overlay.getContext('2d').getImageData(x, y, 1, 1).data]", [x, y]
    )


def test_overlap_shows_stripes_of_both_colours_and_classes_can_be_hidden(annotator):
    annotator.choose("Ulna")
    annotator.press("b")
    annotator.page.evaluate("samcarry.tools.setRadius(20)")
    annotator.drag((55, 60), (55, 61))
    row = [tuple(overlay(annotator, x, 60)[:3]) for x in range(45, 65)]
    assert len(set(row)) == 2
    assert overlay(annotator, 5, 5)[3] == 0
    annotator.page.locator("#classes input").nth(0).uncheck()
    assert len({tuple(overlay(annotator, x, 60)[:3]) for x in range(45, 65)}) == 1
    annotator.page.focus("#image")
    annotator.press("o")
    assert overlay(annotator, 55, 60)[3] == 0


def test_a_button_says_not_part_for_pens(annotator):
    annotator.press("n")
    assert annotator.page.get_attribute("#opposite", "aria-pressed") == "true"
    before = as_mask(annotator.mask("Radius")).sum()
    annotator.waiting_for_sam(annotator.click, 75, 60)
    mask = as_mask(annotator.mask("Radius"))
    assert not mask[60, 75]
    assert mask.sum() < before


def test_a_click_on_a_mask_with_ctrl_chooses_its_class(annotator):
    annotator.choose("Ulna")
    annotator.page.keyboard.down("Control")
    annotator.click(54, 60)
    annotator.page.keyboard.up("Control")
    assert annotator.page.inner_text("#current") == "Radius"


def test_an_answer_that_comes_too_late_changes_nothing(annotator):
    """The class was changed by hand while SAM was still working."""
    annotator.page.evaluate(
        "() => { samcarry.app.askPoint({ x: 45, y: 60, positive: true }); samcarry.app.markAbsent(); }"
    )
    annotator.page.wait_for_selector('html[data-answers="1"]')
    assert annotator.state("Radius") == "absent"


def test_a_deleted_mask_counts_as_untouched_again(annotator):
    annotator.press("Delete")
    assert annotator.state("Radius") == "untouched"
    assert not any(annotator.mask("Radius"))
