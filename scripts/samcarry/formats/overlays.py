"""Overlays: the contours of masks drawn in colour on the image; written only, never read."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from samcarry.images.colours import class_colours_8bit
from samcarry.storage.files import atomic

_SMALLEST, _LARGEST = 11, 60  # pixels: size of the letters of a legend
_PAPER, _INK = (24, 24, 24), (235, 235, 235)


def overlay(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A grey image (height, width) with the contours of `masks` (class, height, width), as RGB.

    A contour is the inner edge of its mask. It is a 500th of the image's longer side wide, at least 1 pixel.
    """
    picture = np.repeat(image[..., None], 3, axis=2)
    thickness = max(1, round(max(image.shape) / 500))
    for mask, colour in zip(masks, class_colours_8bit(len(masks)), strict=True):
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            inside = ndimage.binary_erosion(mask[window], iterations=thickness)
            picture[window][mask[window] & ~inside] = colour
    return picture


def with_legend(
    picture: NDArray[np.uint8], masks: NDArray[np.bool_], classes: Sequence[str]
) -> NDArray[np.uint8]:
    """A picture (height, width, 3) with the colours and names of the present classes below it.

    The picture is unchanged in the upper left corner. The strip is as wide as the picture, or as the longest
    name if this is wider.
    """
    colours = class_colours_8bit(len(classes))
    entries = [(classes[index], colours[index]) for index, mask in enumerate(masks) if mask.any()]
    entries = entries or [("no class found", (0, 0, 0))]
    size = min(_LARGEST, max(_SMALLEST, max(picture.shape[:2]) // 50))
    font = _font(size)
    line, square = round(1.5 * size), size
    column = max(round(font.getlength(name)) for name, _ in entries) + 3 * square
    height, width = picture.shape[:2]
    columns = min(len(entries), max(1, width // column))
    lines = -(-len(entries) // columns)
    whole = Image.new("RGB", (max(width, columns * column), height + lines * line + size), _PAPER)
    whole.paste(Image.fromarray(picture), (0, 0))
    pen = ImageDraw.Draw(whole)
    for index, (name, colour) in enumerate(entries):
        x, y = index // lines * column + square // 2, height + index % lines * line + size
        pen.rectangle((x, y - square // 2, x + square, y + square // 2), fill=colour)
        pen.text((x + square + square // 2, y), name, fill=_INK, font=font, anchor="lm")
    return np.asarray(whole)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of matplotlib, which has most letters; Pillow's own, which has few, where there is none."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf", size)


def write_overlay(
    path: str | Path, image: NDArray[np.uint8], masks: NDArray[np.bool_], classes: Sequence[str]
) -> None:
    """Write `overlay(image, masks)` with its legend as a PNG, atomically."""
    with atomic(path) as private:
        picture = Image.fromarray(with_legend(overlay(image, masks), masks, classes))
        # The usual level takes four times as long and saves a twelfth: the noise of a radiograph stays.
        picture.save(private, format="PNG", compress_level=1)
