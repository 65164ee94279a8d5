"""Pages work offline: images are embedded, and text is escaped."""

import base64
import io

from PIL import Image

from samcarry.report.html import data_uri, embedded


def test_wide_figures_are_shrunk_and_others_kept(tmp_path):
    for width in (3000, 300):
        Image.new("RGB", (width, 60)).save(tmp_path / "a.png")
        assert embedded(tmp_path / "a.png")["width"] == min(width, 2000)


def test_an_embedded_figure_is_a_webp_image(tmp_path):
    Image.new("RGB", (30, 20), (200, 0, 0)).save(tmp_path / "a.png")
    head, data = embedded(tmp_path / "a.png")["uri"].split(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert (image.format, image.size) == ("WEBP", (30, 20))


def test_bytes_become_a_uri():
    assert data_uri(b"abc", "text/plain") == "data:text/plain;base64,YWJj"
