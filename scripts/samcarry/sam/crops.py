"""Crops around an object: which part of an image is shown to SAM, and where things are in it.

A crop has whole pixels as edges, so that cutting it out and pasting an answer back are slices.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from samcarry.prompting.prompts import Box


@dataclass(frozen=True)
class Window:
    """A part of an image, in pixels: columns left..right, rows top..bottom, ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels of the image."""
        return self.bottom - self.top, self.right - self.left

    @property
    def view(self) -> tuple[slice, slice]:
        """The slices of the last two axes of an image or of masks."""
        return np.s_[self.top : self.bottom], np.s_[self.left : self.right]


def window_around(box: Box, zoom: float, size: tuple[int, int]) -> Window:
    """A square around a box, its side `zoom` times the box's longer one.

    It is moved into the image (height, width). Where the image is smaller than the square, the window
    covers all of the image along that axis.
    """
    x0, y0, x1, y1 = box
    side = max(8, round(zoom * max(x1 - x0, y1 - y0)))
    left, right = _inside((x0 + x1) / 2, side, size[1])
    top, bottom = _inside((y0 + y1) / 2, side, size[0])
    return Window(left, top, right, bottom)


def _inside(centre: float, length: int, limit: int) -> tuple[int, int]:
    nearest = math.floor(centre - length / 2 + 0.5)  # `round` would shift equal boxes differently
    start = min(max(nearest, 0), max(limit - length, 0))
    return start, min(start + length, limit)


def whole(size: tuple[int, int]) -> Window:
    """The window that is all of an image (height, width)."""
    return Window(0, 0, size[1], size[0])


def input_size(window: Window, side: int, *, squeezed: bool = False) -> tuple[int, int]:
    """(rows, columns) of a window in a square input of `side` pixels: its longer side fills the input.

    If `squeezed`, both sides do.
    """
    return (side, side) if squeezed else fitted(*window.size, side)


def fitted(height: int, width: int, side: int) -> tuple[int, int]:
    """The size of an image (height, width) whose longer side becomes `side`, rounded as by SAM itself."""
    scale = side / max(height, width)
    return int(height * scale + 0.5), int(width * scale + 0.5)


def resized(values: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Values (height, width) at another size, as SAM's own transform resizes an image."""
    return np.asarray(Image.fromarray(values).resize(size[::-1], Image.Resampling.BILINEAR))


def cut_masks(
    masks: NDArray[np.bool_], window: Window, size: tuple[int, int], side: int, cell: float
) -> Tensor:
    """The part of masks (K, height, width) in a window: covered share of each cell of the input.

    Args:
        masks: of the image.
        window: the part.
        size: (rows, columns) that the window takes in the input.
        side: of the square input in pixels.
        cell: pixels of the input per cell and side.

    Returns:
        (K, side / cell, side / cell) in 0..1; zero beyond the window.
    """
    rows, columns = size
    covered = np.zeros((len(masks), side, side), np.uint8)
    for share, mask in zip(covered, masks, strict=True):
        share[:rows, :columns] = resized(mask[window.view].astype(np.uint8) * 255, size)
    values, count = torch.from_numpy(covered).float()[:, None], round(side / cell)
    # A cell of SAM 3 is three and a half pixels wide.
    whole_cells = side % count == 0
    shares = F.avg_pool2d(values, side // count) if whole_cells else F.adaptive_avg_pool2d(values, count)
    return shares[:, 0] / 255
