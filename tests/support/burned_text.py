"""Radiographs with text in their pixels, drawn with the fonts that matplotlib ships; and what shows of it."""

import base64
import io
import re

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", "STIXGeneral", "cmr10")


def radiograph(height=256, width=320, seed=0):
    """Grey values (height, width) of smooth bright structures on a dark background, with some noise."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    grey = 40 + 60 * np.exp(-(((x - width / 2) / width * 3) ** 2))
    for centre in np.linspace(0.2, 0.8, 5):
        grey += 70 * np.exp(-(((x / width - centre) / 0.03) ** 2)) * (abs(y / height - 0.5) < 0.3)
    return np.clip(grey + rng.normal(0, 4, grey.shape), 0, 255).astype(np.uint8)


def burn(grey, text, at, size=14, font="DejaVuSans", ink=255, bar=None):
    """A copy of an image with text that begins at (x, y), on a bar of a grey value if there is one."""
    image = Image.fromarray(grey)
    pen = ImageDraw.Draw(image)
    letters = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{font}.ttf", size)
    if bar is not None:
        left, top, right, bottom = pen.multiline_textbbox(at, text, font=letters)
        pen.rectangle((left - 4, top - 4, right + 4, bottom + 4), fill=bar)
    pen.multiline_text(at, text, fill=ink, font=letters)
    return np.array(image)


def share_shown(picture, plain, burned):
    """The share of the text's pixels that a picture (height, width) of any size still shows."""
    before, after = (
        np.asarray(Image.fromarray(grey).resize(picture.shape[::-1], Image.Resampling.BICUBIC)).astype(int)
        for grey in (plain, burned)
    )
    text = np.abs(after - before) > 60
    assert text.sum() > 30
    return (np.abs(picture - after) < np.abs(picture - before))[text].mean()


def pictures_in(page):
    """The grey values (height, width) of all pictures that are part of a page, in their order."""
    texts = re.findall(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)", page)
    return [np.array(Image.open(io.BytesIO(base64.b64decode(text))).convert("L")) for text in texts]
