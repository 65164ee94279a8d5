"""A saved file is opened again on the page: on another computer, or after the browser has lost its work."""

import zlib

import pytest

from samcarry.formats.page_file import read_page_file
from support.browser import Annotator, needs_browser, open_page

pytestmark = needs_browser


@pytest.fixture(scope="module")
def saved(browser, page_file, tmp_path_factory):
    """A saved file with one finished case, and what the page knows of it."""
    context = browser.new_context(accept_downloads=True)
    annotator = Annotator(open_page(context, page_file))
    annotator.press("b")
    annotator.drag((40, 20), (60, 30), (70, 25))
    annotator.press("2", "x")
    annotator.finish()
    file = annotator.save(tmp_path_factory.mktemp("saved"))
    known, took = works(annotator), seconds(annotator)
    context.close()
    return file, known, took


@pytest.fixture
def elsewhere(browser, page_file):
    """The same page in a browser that knows nothing of it."""
    context = browser.new_context(accept_downloads=True)
    yield Annotator(open_page(context, page_file))
    context.close()


def works(annotator):
    """Masks, states and times of all cases."""
    return annotator.page.evaluate(
        """() => samcarry.app.works.map(({ classes, started, finished }) => [
            classes.map(({ mask, state }) => [mask, state]), started, finished,
        ])"""
    )


def seconds(annotator):
    return annotator.page.evaluate("samcarry.app.works[0].seconds")


def open_file(annotator, path):
    before = annotator.page.evaluate("samcarry.panel.opened")
    annotator.page.set_input_files("#saved", path)
    annotator.page.wait_for_selector(f'html[data-opened="{before + 1}"]')
    return annotator.page.inner_text("#warnings")


def test_work_goes_on_where_it_was_saved(elsewhere, saved, tmp_path):
    file, known, _ = saved
    assert open_file(elsewhere, file) == ""
    assert works(elsewhere) == known
    assert elsewhere.page.input_value("#annotator") == "A. Müller"
    assert seconds(elsewhere) == pytest.approx(saved[2], abs=0.5)
    assert read_page_file(elsewhere.save(tmp_path)).images["c.png"].absent == ("Ulna",)
    elsewhere.kept()
    elsewhere.page.reload()
    elsewhere.page.wait_for_selector("html[data-ready]")
    assert works(elsewhere) == known


def test_what_was_done_here_stays(elsewhere, saved):
    elsewhere.press("1", "x")
    here = works(elsewhere)
    assert "stay as they are here: c." in open_file(elsewhere, saved[0])
    assert works(elsewhere)[0][0] == here[0][0]
    elsewhere.press("Control+z")
    assert open_file(elsewhere, saved[0]) == ""
    assert works(elsewhere) == saved[1]


def sealed(text):
    """The text with the checksum that the page would write."""
    body = text.split("<!-- samcarry")[0]
    return f"{body}<!-- samcarry crc32 {zlib.crc32(body.encode()):08x} -->\n"


@pytest.mark.parametrize(
    ("old", "new", "seal", "message"),
    [
        ("</image>", "", False, "is cut off or was edited"),
        ("<!-- samcarry", "<!--", False, "is cut off or was edited"),
        ('dataset="mine"', 'dataset="theirs"', True, "is for the data set theirs, and this page for mine"),
        ('version="1"', 'version="9"', True, "has version 9, and this page reads 1"),
        ("<name>Ulna</name>", "<name>Femur</name>", True, "has other classes"),
        ('sha256="', 'sha256="0', True, "has the image c.png, which this page does not have"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(elsewhere, saved, tmp_path, old, new, seal, message):
    before = works(elsewhere)
    (tmp_path / "other.xml").write_text("<annotations></annotations>")
    assert "was not saved by such a page" in open_file(elsewhere, tmp_path / "other.xml")
    text = saved[0].read_text()
    assert old in text
    text = text.replace(old, new)
    (tmp_path / "bad.xml").write_text(sealed(text) if seal else text)
    warnings = open_file(elsewhere, tmp_path / "bad.xml")
    assert warnings.startswith("bad.xml: ")
    assert message in warnings
    assert warnings.endswith("Nothing was changed.")
    assert works(elsewhere) == before
