"""Read, resize and write binary masks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.images.grey import open_image, resize_grey, upright
from samcarry.storage.files import atomic
from samcarry.storage.probabilities import THRESHOLD

# Lossy formats blur the edge of a mask, so that pixels outside it are no longer 0.
_FORMATS = ("PNG",)


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """The mask of one class from a PNG file of any bit depth, as an array (height, width).

    Pixels that are not 0 in `read_mask_values` belong to the class.

    Raises:
        InputError: the file is not a PNG or cannot be read, see `grey.open_image`.
    """
    return read_mask_values(path) != 0


def read_mask_values(path: str | Path) -> NDArray[np.integer]:
    """The values of one class's mask from a PNG file of any bit depth, (height, width), 0 = not this class.

    Black and fully transparent pixels are 0; another one has its largest colour. In a palette image, the
    colours count and not the indices.

    Raises:
        InputError: the file is not a PNG or cannot be read, see `grey.open_image`.
    """
    with open_image(path, _FORMATS) as image:
        image.load()
        image = upright(image)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            pixels = np.asarray(image.convert("RGBA"))
            return pixels[..., :3].max(axis=-1) * (pixels[..., 3] != 0)
        if image.mode == "P":
            image = image.convert("RGB")
        pixels = np.asarray(image)
    if pixels.dtype == bool:
        return pixels.astype(np.uint8)
    return pixels.max(axis=-1) if pixels.ndim == 3 else pixels


def resize_mask(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """A mask (height, width) at another size; a pixel is set if at least half of its area was."""
    share = Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    # The two passes of the filter may turn exactly half into slightly less.
    return np.asarray(share) >= 0.5 - 1e-6


def write_mask(path: str | Path, mask: NDArray[np.bool_]) -> None:
    """Write a mask (height, width) as an 8-bit PNG of 0 and 255, atomically."""
    with atomic(path) as private:
        Image.fromarray(mask.astype(np.uint8) * 255).save(private, format="PNG")


def mask_at_size(values: NDArray[np.uint8], height: int, width: int) -> NDArray[np.bool_]:
    """A probability map (height, width), 0..255 for 0..1, at another size and thresholded at 0.5.

    The map is resized bilinearly before thresholding, so that edges are smoother than those of an enlarged
    mask; a mask of 0 and 255 is treated in the same way. A class that has any pixel above 0.5 never
    disappears: if resizing would remove it, its highest pixels are kept.
    """
    resized = resize_grey(values, height, width)
    if values.max() <= THRESHOLD:
        return np.zeros((height, width), dtype=bool)
    return resized > min(THRESHOLD, int(resized.max()) - 1)
