"""Fingers and a pen on the pages, as on a tablet of 1024 by 768."""

import numpy as np
import pytest

from support.browser import Annotator, needs_browser, open_page

pytestmark = needs_browser


@pytest.fixture
def tablet(browser, page_file):
    context = browser.new_context(has_touch=True)
    yield Annotator(open_page(context, page_file, 1024, 768))
    context.close()


def as_mask(pixels):
    return np.array(pixels, bool).reshape(120, 160)


def changes(annotator):
    return annotator.page.evaluate("samcarry.app.work.done.length")


def test_a_finger_clicks_draws_boxes_and_strokes(tablet):
    tablet.choose("Ulna")
    tablet.touch("Start", (92, 32))
    tablet.touch("Move", (110, 50))
    tablet.touch("Move", (138, 80))
    tablet.waiting_for_sam(tablet.touch, "End")
    assert as_mask(tablet.mask("Ulna"))[55, 115]
    tablet.touch("Start", (115, 57))
    tablet.waiting_for_sam(tablet.touch, "End")
    assert changes(tablet) == 2
    tablet.press("e")
    tablet.touch("Start", (110, 55))
    tablet.touch("Move", (120, 55))
    tablet.touch("End")
    assert not as_mask(tablet.mask("Ulna"))[55, 115]
    assert changes(tablet) == 3


def test_two_fingers_move_and_zoom_and_draw_nothing(tablet):
    tablet.press("b")
    before = tablet.mask("Radius")
    scale = tablet.page.evaluate("samcarry.app.viewer.scale")
    tablet.touch("Start", (60, 60))
    tablet.touch("Start", (60, 60), (100, 60))
    apart = [tablet.place(50, 60), tablet.place(110, 60)]
    tablet.touch("Move", (50, 60), (110, 60))
    assert tablet.page.evaluate("samcarry.app.viewer.scale") == pytest.approx(1.5 * scale, rel=0.02)
    assert tablet.place(60, 60) == pytest.approx(apart[0], abs=2)  # the image stays under the fingers
    assert tablet.place(100, 60) == pytest.approx(apart[1], abs=2)
    tablet.touch("End")
    assert tablet.mask("Radius") == before
    assert changes(tablet) == 0


def test_zooming_keeps_the_corners_of_a_polygon(tablet):
    tablet.press("p")
    for place in ((20, 20), (60, 20)):
        tablet.touch("Start", place)
        tablet.touch("End")
    tablet.touch("Start", (60, 60))
    tablet.touch("Start", (60, 60), (100, 60))
    tablet.touch("End")
    assert tablet.page.evaluate("samcarry.tools.polygon.length") == 2
    for place in ((60, 50), (21, 21)):  # a finger is not exact: near the first corner closes it
        tablet.touch("Start", place)
        tablet.touch("End")
    assert tablet.page.evaluate("samcarry.tools.polygon.length") == 0
    assert as_mask(tablet.mask("Radius"))[25, 50]


def test_a_pen_draws_and_the_palm_does_not(tablet):
    tablet.press("b")
    tablet.pen("down", 100, 100)
    tablet.pen("move", 110, 100)
    tablet.touch("Start", (20, 20))
    tablet.touch("Move", (30, 20))
    tablet.pen("move", 120, 100)
    tablet.touch("End")
    tablet.pen("up", 120, 100)
    mask = as_mask(tablet.mask("Radius"))
    assert mask[100, 100:121].all()
    assert not mask[20, 20:31].any()
    assert changes(tablet) == 1
    corner = tablet.place(0, 0)
    tablet.touch("Start", (20, 20))  # a single finger moves the image from now on
    tablet.touch("Move", (30, 20))
    tablet.touch("End")
    assert tablet.place(0, 0) != corner
    assert changes(tablet) == 1
