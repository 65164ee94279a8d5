"""Radiographs with text in their pixels, drawn with the fonts that matplotlib ships."""

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
