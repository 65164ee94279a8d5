"""Read, resize and write binary masks."""

import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.errors import InputError
from samcarry.images.grey import open_image, resize_grey, upright
from samcarry.storage.files import atomic
from samcarry.storage.probabilities import THRESHOLD

# Lossy formats blur the edge of a mask, so that pixels outside it are no longer 0.
_FORMATS = ("PNG",)


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """The mask of one class from a PNG file, as an array (height, width).

    Pixels that are not 0 in `read_mask_values` belong to the class.

    Raises:
        InputError: the file is not a PNG or cannot be read, see `grey.open_image`.
    """
    return read_mask_values(path) != 0


def read_mask_values(path: str | Path) -> NDArray[np.integer]:
    """The values of one class's mask from a PNG file, (height, width), 0 = not this class.

    Black and fully transparent pixels are 0; another one has its largest colour. In a palette image, the
    colours count and not the indices.

    Raises:
        InputError: the file is not a PNG or cannot be read, see `grey.open_image`; or something black is
            drawn on transparent ground, which may be the class or not.
    """
    with open_image(path, _FORMATS) as image:
        image.load()
        image = upright(image)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            pixels = np.asarray(image.convert("RGBA"))
            opaque = pixels[..., 3] != 0
            values: NDArray[np.integer] = pixels[..., :3].max(axis=-1) * opaque
            if opaque.any() and not opaque.all() and not values.any():
                raise InputError(
                    f"{path}: is black on transparent ground, and black is not the class; save it as a grey "
                    "image with 255 in the class and 0 outside"
                )
            return values
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
        # Masks consist of runs, so looking for these only makes a file as small, in half the time.
        run_lengths = {"compress_level": 1, "compress_type": zlib.Z_RLE}
        Image.fromarray(mask.astype(np.uint8) * 255).save(private, format="PNG", **run_lengths)


def mask_at_size(values: NDArray[np.uint8], height: int, width: int) -> NDArray[np.bool_]:
    """A probability map (height, width), 0..255 for 0..1, at another size and thresholded at 0.5.

    The map is resized bilinearly before thresholding, so that edges are smoother than those of an enlarged
    mask; a mask of 0 and 255 is treated in the same way. A class that has any pixel above 0.5 never
    disappears: if resizing would remove it, its highest pixels are kept.
    """
    mask = np.zeros((height, width), dtype=bool)
    draw_mask(values, mask)
    return mask


def draw_mask(values: NDArray[np.uint8], empty: NDArray[np.bool_]) -> None:
    """Draw the mask of `mask_at_size` into an empty one (height, width)."""
    drawn = values > THRESHOLD
    if not drawn.any():
        return
    if all(new >= old for new, old in zip(empty.shape, values.shape, strict=True)):
        place, part = _enlarged_part(values, empty.shape, bounding_window(drawn))
        if part.max() > THRESHOLD:
            empty[place] = part > THRESHOLD
            return
    resized = resize_grey(values, *empty.shape)
    empty[:] = resized > min(THRESHOLD, int(resized.max()) - 1)


def bounding_window(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns of the bounding box of a mask (height, width) that is not empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    within = slice(int(rows[0]), int(rows[-1]) + 1)
    columns = np.flatnonzero(mask[within].any(axis=0))
    return within, slice(int(columns[0]), int(columns[-1]) + 1)


def _enlarged_part(
    values: NDArray[np.uint8], size: tuple[int, ...], window: tuple[slice, slice]
) -> tuple[tuple[slice, slice], NDArray[np.uint8]]:
    """What a window of a map that is enlarged has a share in, and where this is in the enlarged map.

    The pixels are those of `resize_grey`: when Pillow enlarges, it first computes rows and then columns, each
    from those around it, so others may be left out.
    """
    (top, bottom), (left, right) = (
        (max(0, math.floor((edges.start - 1) * new / old)), min(new, math.ceil((edges.stop + 1) * new / old)))
        for edges, old, new in zip(window, values.shape, size, strict=True)
    )
    rows = slice(max(0, window[0].start - 3), window[0].stop + 3)
    wide = np.zeros((values.shape[0], right - left), dtype=np.uint8)
    wide[rows] = resize_grey(values[rows], len(values[rows]), size[1])[:, left:right]
    return (slice(top, bottom), slice(left, right)), resize_grey(wide, size[0], right - left)[top:bottom]
