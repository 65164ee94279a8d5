"""The pages in Firefox."""

import time

import numpy as np
import pytest

from samcarry.formats.page_file import read_page_file
from samcarry.images.grey import read_grey
from samcarry.predict.arrays import predict_grey
from samcarry.predict.models import load_model
from support.firefox import Firefox, needs_firefox

pytestmark = needs_firefox


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    browser = Firefox(tmp_path_factory.mktemp("firefox"))
    yield browser
    browser.close()


def test_a_click_draws_a_mask_and_the_file_is_saved(firefox, page_file):
    firefox.open(page_file)
    assert firefox.evaluate("document.getElementById('warnings').textContent") == ""
    firefox.evaluate("samcarry.app.chooseClass(1)")
    x, y = firefox.evaluate(
        """(() => {
            const { viewer } = samcarry.app;
            const box = viewer.canvas.getBoundingClientRect();
            return [118 * viewer.scale + viewer.left + box.left, 60 * viewer.scale + viewer.top + box.top];
        })()"""
    )
    firefox.click(x, y)
    firefox.wait("document.documentElement.dataset.answers === '1'")
    assert firefox.evaluate("samcarry.app.work.classes[1].state") == "corrected"
    firefox.evaluate("samcarry.app.finish()")
    firefox.press("#annotator", "A. B.")
    firefox.click_on("#save")
    firefox.wait("document.getElementById('status').textContent.startsWith('1 finished')")
    for _ in range(300):  # Firefox writes a part first, under another name
        saved = list(firefox.folder.glob("*.xml"))
        if saved and saved[0].stat().st_size and not list(firefox.folder.glob("*.part")):
            break
        time.sleep(0.1)
    assert read_page_file(saved[0]).annotator == "A. B."


def test_masks_of_a_trained_network_equal_those_of_predict(firefox, trained, image_files):
    model, page = trained
    loaded = load_model(model, "cpu")
    firefox.open(page)
    for number, path in enumerate(image_files, 1):
        firefox.press("#file", str(path))
        firefox.wait(f"document.documentElement.dataset.answers === '{number}'")
        shown = firefox.evaluate("[...samcarry.page.answer.bits].join('')")
        expected = predict_grey(loaded, read_grey(path), False, False).masks
        found = np.frombuffer(shown.encode(), np.uint8).reshape(expected.shape) == ord("1")
        assert (found == expected).mean() >= 0.9999, path.name
