"""The page of `samcarry text`: lines of text that are found in images, and the images without them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from samcarry.errors import InputError
from samcarry.images.grey import read_grey
from samcarry.images.text import Box, fill_text, find_text
from samcarry.predict.finding import find_new_images
from samcarry.report.gallery import webp
from samcarry.report.html import render_page
from samcarry.storage.files import write_text

_LONGEST = 480  # pixels of a whole image on the page
_MARGIN = 20  # pixels around a line in its picture


@dataclass(frozen=True)
class Found:
    """An image with text: its name, the whole image with boxes, the filled image, and each line, as WebP."""

    name: str
    marked: bytes
    filled: bytes
    lines: tuple[bytes, ...]


def write_text_page(
    images: str | Path, page: str | Path, window: tuple[float, float] | None = None
) -> tuple[int, int, list[str]]:
    """Write a page about the images of a folder, which shows the text that was found.

    Args:
        images: folder of images, or one image, as for `find_new_images`.
        page: the HTML file, which must not exist.
        window: as for `grey.read_grey`.

    Returns:
        The number of images, of images with text, and one line for each file that cannot be read.

    Raises:
        InputError: there are no images, or `page` exists.
    """
    if Path(page).exists():
        raise InputError(f"{page}: exists already; remove it, or choose another file")
    files, faults = find_new_images(images)
    found = []
    for name, file in files.items():
        try:
            grey = read_grey(file, window)
        except InputError as error:
            faults.append(str(error))
            continue
        if boxes := find_text(grey):
            found.append(_show(name, grey, boxes))
    text = render_page("samcarry.setup", folder=str(images), images=len(files), found=found)
    write_text(page, text)
    return len(files), len(found), faults


def _show(name: str, grey: NDArray[np.uint8], boxes: list[Box]) -> Found:
    marked = Image.fromarray(grey.copy())
    pen = ImageDraw.Draw(marked)
    lines = []
    for top, bottom, left, right in boxes:
        pen.rectangle((left, top, right - 1, bottom - 1), outline=255, width=max(1, min(grey.shape) // 400))
        rows, columns = (
            slice(max(0, low - _MARGIN), high + _MARGIN) for low, high in ((top, bottom), (left, right))
        )
        lines.append(webp(grey[rows, columns]))
    filled = fill_text(grey, boxes)
    return Found(name, webp(np.asarray(marked), _LONGEST), webp(filled, _LONGEST), tuple(lines))
