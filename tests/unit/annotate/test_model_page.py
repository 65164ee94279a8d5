"""The page of a trained network: its masks are those of `samcarry predict`."""

import zlib

import numpy as np
import pytest
from PIL import Image

from samcarry.annotate.frame import bundle
from samcarry.annotate.model_page import write_model_page
from samcarry.errors import InputError
from samcarry.evaluation.dice import dice
from samcarry.images.grey import read_grey, resize_grey
from samcarry.images.preparation import preparation
from samcarry.images.training_look import compare, read_look
from samcarry.networks.unet import Ensemble, UNet, load_unet
from samcarry.predict.arrays import predict_grey
from samcarry.predict.models import load_model
from support import dicom_files
from support.browser import needs_browser, open_page
from support.deep_images import write_png
from support.model_pages import MARKUP, SIZE, colours, make_model, metadata, radiograph, save


@pytest.fixture(scope="module")
def make_page(tmp_path_factory):
    """Writes a model file of random weights and its page, and returns both paths."""
    return lambda **entries: make_model(tmp_path_factory.mktemp("model"), **entries)


def answer(page, path, side=None):
    """What the page shows of a file: masks (class, height, width) and its warnings."""
    before = int(page.evaluate("document.documentElement.dataset.answers ?? 0"))
    page.set_input_files("#file", path)
    if side:
        page.select_option("#side", side)
    page.wait_for_selector(f'html[data-answers="{before + 1}"]', timeout=60_000)
    warnings = page.inner_text("#warnings")
    shown = page.evaluate(
        """() => {
            const { answer } = samcarry.page;
            return answer && [answer.height, answer.width, answer.masks.map((mask) => mask.join(""))];
        }"""
    )
    if shown is None:
        return None, warnings
    height, width, masks = shown
    bits = [np.frombuffer(mask.encode(), np.uint8).reshape(height, width) == ord("1") for mask in masks]
    return np.stack(bits), warnings


def compared(page, model, path, *, mirror=False, side=None):
    """The Dice of each class between the page and `samcarry predict`."""
    trained = load_model(model, "cpu")
    expected = predict_grey(trained, read_grey(path, trained.window), False, mirror)
    masks, warnings = answer(page, path, side)
    assert expected.masks.any(axis=(1, 2)).all()
    reason = expected.unlikeness.reason if expected.unlikeness else ""
    assert (reason in warnings) if reason else ("unlike" not in warnings)
    return [dice(one, other) for one, other in zip(expected.masks, masks, strict=True)]


@needs_browser
def test_masks_equal_those_of_predict(browser, trained, image_files):
    model, path = trained
    page = open_page(browser, path)
    for file in image_files:
        assert min(compared(page, model, file)) >= 0.9999, file.name
    page.close()


@needs_browser
def test_a_jpeg_may_differ_by_grey_levels_only(browser, trained, tmp_path):
    model, path = trained
    page = open_page(browser, path)
    turned = Image.Exif()
    turned[0x0112] = 6
    for file in (
        save(tmp_path / "grey.jpg", radiograph(0), quality=90),
        save(tmp_path / "colour.jpg", colours(0), quality=90),
        save(tmp_path / "turned.jpg", radiograph(0), quality=90, exif=turned),
    ):
        assert min(compared(page, model, file)) >= 0.999, file.name
    page.close()


@needs_browser
def test_a_window_and_a_mirrored_side_are_applied(browser, make_page, tmp_path):
    model, path = make_page(window=[2, 97], preparation=preparation("right"))
    page = open_page(browser, path)
    file = save(tmp_path / "sixteen.png", radiograph(4).astype(np.uint16) * 16)
    page.set_input_files("#file", file)
    page.wait_for_function("document.getElementById('status').textContent.includes('choose the side')")
    assert page.evaluate("samcarry.page.answer") is None
    for side in ("left", "right"):
        assert min(compared(page, model, file, mirror=side == "right", side=side)) >= 0.9999
    dicom = dicom_files.write(tmp_path / "left.dcm", radiograph(4), 8, ImageLaterality="L")
    assert "its header says that it shows the side L; you chose right" in answer(page, dicom, "right")[1]
    page.close()


DROP = """(bytes) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(bytes)], "dropped.png"));
    const options = { dataTransfer: data, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent("drop", options));
}"""


@needs_browser
def test_a_file_is_dropped_and_keys_suffice_on_a_small_screen(browser, trained, image_files):
    page = open_page(browser, trained[1], 1024, 768)
    page.evaluate(DROP, list(image_files[0].read_bytes()))
    page.wait_for_selector("html[data-answers='1']")
    assert page.inner_text("#status").startswith("dropped.png: 190 × 150 pixels")
    scale = page.evaluate("samcarry.page.viewer.scale")
    for key in ("+", "j", "o", "l"):
        page.keyboard.press(key)
    assert page.evaluate("samcarry.page.viewer.scale") == pytest.approx(1.3 * scale)
    assert page.evaluate("samcarry.page.index") == 1
    assert not page.is_checked("#masks")
    assert page.get_attribute("[data-tool=window]", "aria-pressed") == "true"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1024
    page.close()


@needs_browser
def test_areas_are_in_mm_where_the_size_of_a_pixel_is_known(browser, trained, tmp_path):
    page = open_page(browser, trained[1])
    areas = "[...document.querySelectorAll('.state')].map((state) => state.textContent)"
    masks, _ = answer(page, save(tmp_path / "a.png", radiograph(0)))
    counts = masks.sum(axis=(1, 2))
    assert page.evaluate(areas) == [f"{count} pixels" for count in counts]
    page.fill("#spacing", "0,5")
    given = page.evaluate(areas)
    assert [float(text.removesuffix(" mm²")) for text in given] == pytest.approx(counts / 4, rel=1e-3)
    options = {"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.2, 0.1], "BurnedInAnnotation": "YES"}
    dicom = dicom_files.write(tmp_path / "a.dcm", radiograph(0), 8, **options)
    masks, warnings = answer(page, dicom)
    assert "appears magnified" in warnings
    assert "may name the patient" in warnings
    found = [float(text.removesuffix(" mm²")) for text in page.evaluate(areas)]
    assert found == pytest.approx(masks.sum(axis=(1, 2)) * 0.02, rel=1e-3)
    page.close()


def interlaced(png):
    """A PNG whose header says that it is interlaced."""
    header = png[12:28] + b"\1"
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


@needs_browser
def test_bad_files_are_one_line_each(browser, trained, tmp_path):
    page = open_page(browser, trained[1])
    good = save(tmp_path / "good.png", radiograph(0)).read_bytes()
    dicom = dicom_files.write(tmp_path / "good.dcm", radiograph(0), 8).read_bytes()
    deep = write_png(tmp_path / "deep.png", colours(0).astype(np.uint16), 16).read_bytes()
    files = {
        "cut.png": (good[:-200], "damaged or truncated"),
        "bit.png": (good[:300] + bytes([good[300] ^ 4]) + good[301:], "damaged or truncated"),
        "interlaced.png": (interlaced(good), "without interlacing"),
        "deep.png": (deep, "colours or alpha of 16 bits each"),
        "cut.dcm": (dicom[:-200], "damaged or truncated"),
        "empty.png": (b"", "is empty"),
        "text.png": (b"not an image", "is not a PNG, JPEG or DICOM"),
        "noise.jpg": (b"\xff\xd8" + bytes(300), "cannot be read"),
        "noise.dcm": (bytes(128) + b"DICM" + bytes(range(200)), ""),
    }
    for name, (content, message) in files.items():
        (tmp_path / name).write_bytes(content)
        masks, warnings = answer(page, tmp_path / name)
        assert masks is None, name
        assert warnings.startswith(f"{name}: "), name
        assert message in warnings
        assert len(warnings.splitlines()) == 1
    (tmp_path / "good.png").write_bytes(good)
    masks, warnings = answer(page, tmp_path / "good.png")  # an earlier fault changes nothing
    assert masks is not None
    assert "noise" not in warnings
    page.close()


@needs_browser
def test_hostile_names_are_text(browser, make_page, tmp_path):
    page = open_page(browser, make_page(classes=[MARKUP, "__proto__"])[1])
    answer(page, save(tmp_path / f"{MARKUP}.png", radiograph(0)))
    assert page.locator(".class .name").all_inner_texts() == [MARKUP, "__proto__"]
    assert MARKUP in page.inner_text("#status")
    assert page.inner_text("h1") == MARKUP
    answer(page, save(tmp_path / "<b>.txt", radiograph(0), format="TIFF"))
    assert "<b>.txt: is not a PNG" in page.inner_text("#warnings")
    assert page.evaluate("window.hacked") is None
    page.close()


def test_a_network_that_the_page_cannot_run_is_refused(tmp_path):
    path = tmp_path / "model.html"
    with pytest.raises(InputError, match="absent classes"):
        write_model_page(path, UNet(2, 4, 2), metadata(presence={}), dataset="mine")
    with pytest.raises(InputError, match="ensemble"):
        write_model_page(path, Ensemble([UNet(2, 4, 2)]), metadata(), dataset="mine")
    masked = metadata(preparation=preparation(None, text_masked=True))
    with pytest.raises(InputError, match=r"images\.mask_text"):
        write_model_page(path, UNet(2, 4, 2), masked, dataset="mine")
    with pytest.raises(InputError, match=r"training\.width"):
        write_model_page(path, UNet(2, 4, 2), metadata(), dataset="mine", most_bytes=100)
    assert not path.exists()


@needs_browser
def test_large_networks_are_rounded_and_the_page_says_so(browser, trained, tmp_path):
    network, about = load_unet(trained[0])
    most = sum(tensor.numel() for tensor in network.state_dict().values()) * 4
    write_model_page(tmp_path / "model.html", network, about, dataset="mine", most_bytes=most)
    page = open_page(browser, tmp_path / "model.html")
    assert "rounded to 16 bits" in page.inner_text("#warnings")
    file = save(tmp_path / "a.png", radiograph(0))
    trained = load_model(trained[0], "cpu")
    masks, _ = answer(page, file)
    assert dice(predict_grey(trained, radiograph(0), False, False).masks[0], masks[0]) > 0.98
    page.close()


@pytest.fixture
def program(browser):
    """An empty page with the functions of a module."""
    page = browser.new_page()

    def load(name):
        page.add_script_tag(
            content=bundle(name).removeprefix('(() => {\n"use strict";\n').removesuffix("})();\n")
        )
        return page

    yield load
    page.close()


@needs_browser
def test_images_are_resized_as_by_pillow(program):
    """Bit by bit, whichever direction comes first."""
    page, rng = program("resize"), np.random.default_rng(1)
    for _ in range(60):
        height, width, to_height, to_width = map(int, rng.integers(1, 60, 4))
        image = rng.integers(0, 256, (height, width)).astype(np.uint8)
        found = page.evaluate(
            "([values, ...sizes]) => [...resizeGrey(Uint8Array.from(values), ...sizes)]",
            [image.ravel().tolist(), height, width, to_height, to_width],
        )
        assert found == resize_grey(image, to_height, to_width).ravel().tolist()


@needs_browser
def test_the_look_is_compared_as_in_python(program):
    look = metadata()["training_look"]
    page = program("look")
    plain = resize_grey(radiograph(9), *SIZE)
    for image in (plain, 255 - plain, plain[::-1, ::-1], plain // 8, np.zeros_like(plain)):
        found = page.evaluate(
            "([grey, h, w, look]) => compareLook(Uint8ClampedArray.from(grey), h, w, look)",
            [image.ravel().tolist(), *image.shape, look],
        )
        expected = compare(np.ascontiguousarray(image), read_look(look))
        assert found["score"] == pytest.approx(expected.score, rel=1e-6)
        assert found["reason"].split(";")[0] == expected.reason.split(";")[0].replace(
            "if these are", "these may be"
        )
    page.close()
