"""samcarry text: a page of the images with text, which shows each line and the filled image."""

import pytest

from samcarry.cli import main
from samcarry.images.grey import write_grey
from support.burned_text import burn, radiograph


@pytest.fixture
def images(tmp_path):
    """An image with two lines of text in a subfolder, and one without text."""
    (tmp_path / "images/<b>monday").mkdir(parents=True)
    write_grey(tmp_path / "images/<b>monday/17.png", burn(radiograph(), "DOE, Maria\n12.03.1978", (8, 8)))
    write_grey(tmp_path / "images/plain.png", radiograph())
    return tmp_path / "images"


def test_the_page_shows_the_images_with_text_only(images, tmp_path, capsys):
    page = tmp_path / "text.html"
    assert main(["text", str(images), str(page)]) == 0
    assert "1 of 2 images have lines of text" in capsys.readouterr().out
    html = page.read_text(encoding="utf-8")
    assert html.count("<article>") == 1
    assert "&lt;b&gt;monday/17" in html
    assert "<b>monday" not in html
    assert html.count("data:image/webp") == 4  # the image, the filled one and two lines
    assert "http" not in html


def test_unreadable_images_are_named_and_the_page_is_written(images, tmp_path, capsys):
    (images / "broken.png").write_bytes(b"x")
    assert main(["text", str(images), str(tmp_path / "text.html")]) == 1
    assert "broken.png" in capsys.readouterr().err
    assert (tmp_path / "text.html").exists()


def test_a_page_is_not_replaced(images, tmp_path, capsys):
    (tmp_path / "text.html").write_text("mine")
    assert main(["text", str(images), str(tmp_path / "text.html")]) == 1
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "text.html").read_text() == "mine"
