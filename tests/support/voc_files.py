"""Builders of Pascal VOC's label maps for tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def palette() -> np.ndarray:
    """Pascal VOC's 256 colours: the bits of a number, spread over the channels from the highest one on."""
    colours = np.zeros((256, 3), np.uint8)
    for step in range(3):
        for channel in range(3):
            colours[:, channel] |= (np.arange(256) >> (3 * step + channel) & 1).astype(np.uint8) << (7 - step)
    colours[255] = 224, 224, 192
    return colours


def write_voc(path: Path, numbers: np.ndarray, *, colours: bool = False) -> Path:
    """Write a map of numbers (height, width) with a palette, or its colours."""
    image = Image.fromarray(numbers.astype(np.uint8))
    image.putpalette(palette().ravel().tolist())
    (image.convert("RGB") if colours else image).save(path)
    return path


def write_labelmap(path: Path, classes: Sequence[str]) -> Path:
    """Write labelmap.txt as CVAT does."""
    colours = palette()[1:]
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    lines += [
        f"{name}:{','.join(map(str, colour))}::" for name, colour in zip(classes, colours, strict=False)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path
