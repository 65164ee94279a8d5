"""Reading, resizing and writing binary masks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.images.grey import open_image, resize_grey, upright
from samcarry.storage.files import atomic
from samcarry.storage.probabilities import THRESHOLD

# Lossy formats blur a mask's edge into grey values that are not 0.
_FORMATS = ("PNG",)


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """Read the mask of one class from a PNG of any depth.

    Black (0) is "not this class", and so is what is wholly transparent; everything else is the
    class. A palette goes by its colours, not by its indices.

    Returns:
        Shape (height, width).

    Raises:
        InputError: if the file is no PNG or cannot be read (see `images.open_image`).
    """
    with open_image(path, _FORMATS) as image:
        image.load()
        image = upright(image)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            pixels = np.asarray(image.convert("RGBA"))
            return (pixels[..., :3] != 0).any(axis=-1) & (pixels[..., 3] != 0)
        if image.mode == "P":
            image = image.convert("RGB")
        pixels = np.asarray(image)
    return (pixels != 0).any(axis=-1) if pixels.ndim == 3 else pixels != 0


def resize_mask(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Resize a mask (height, width): a pixel is in if at least half of its area was."""
    share = Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    # Exactly half may come out of the two passes of the filter as a hair less.
    return np.asarray(share) >= 0.5 - 1e-6


def write_mask(path: str | Path, mask: NDArray[np.bool_]) -> None:
    """Write a mask (height, width) as an 8-bit PNG of 0 and 255, atomically."""
    with atomic(path) as private:
        Image.fromarray(mask.astype(np.uint8) * 255).save(private, format="PNG")


def mask_at_size(values: NDArray[np.uint8], height: int, width: int) -> NDArray[np.bool_]:
    """A probability map (height, width), 0..255 for 0..1, at another size and cut at 0.5.

    It is resized bilinearly before it is cut, so that edges are smoother than those of a mask that was
    enlarged; a mask of 0 and 255 goes the same way. What lies above 0.5 somewhere does not vanish: of an
    object too small for that the highest pixels stay.
    """
    resized = resize_grey(values, height, width)
    if values.max() <= THRESHOLD:
        return np.zeros((height, width), dtype=bool)
    return resized > min(THRESHOLD, int(resized.max()) - 1)
