"""Overlays: the contours of masks drawn in colour on the image; written only, never read."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from samcarry.images.colours import class_colours_8bit
from samcarry.storage.files import atomic


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


def write_overlay(path: str | Path, image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> None:
    """Write `overlay(image, masks)` as a PNG, atomically."""
    with atomic(path) as private:
        Image.fromarray(overlay(image, masks)).save(private, format="PNG")
