"""Grey images: reading whatever a radiograph was saved as, writing, resizing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from samcarry.errors import InputError
from samcarry.images import MOST_PIXELS
from samcarry.images.dicom import dicom_size, is_dicom, read_dicom
from samcarry.storage.files import atomic

_MOST_PER_BYTE = 8 * 1032  # pixels: of one bit each, at the best that PNG's compression can do
_FORMATS = ("PNG", "JPEG", "TIFF")  # by content; nothing else is tried, whatever the suffix says
_ORIENTATION, _PHOTOMETRIC, _WHITE_IS_ZERO = 274, 262, 0


@contextmanager
def open_image(path: str | Path, formats: Sequence[str] = _FORMATS) -> Iterator[Image.Image]:
    """Yield the Pillow image in `path`, its header read and judged, its pixels not yet decoded.

    What Pillow raises inside the block, decoding for instance, becomes an InputError as well.

    Raises:
        InputError: if the file is missing, empty, unreadable, truncated, of another format, holds
            more than one frame or more than 100 million pixels.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty; save it again or remove it")
        # Given a path, Pillow maps uncompressed TIFFs into memory, and garbles those on their side.
        with path.open("rb") as stream, Image.open(stream, formats=tuple(formats)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _too_large(path)
            if getattr(image, "n_frames", 1) > 1:
                raise InputError(f"{path}: holds several frames or pages; save one of them alone")
            # Pillow fills up with black what a short but well-formed PNG lacks.
            if image.format == "PNG" and image.width * image.height > _MOST_PER_BYTE * path.stat().st_size:
                raise InputError(
                    f"{path}: holds fewer pixels than its header tells; save it again or remove it"
                )
            yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except Image.UnidentifiedImageError:
        kinds = ", ".join(formats)
        raise InputError(f"{path}: not a {kinds} file; convert it or remove it") from None
    except Exception as error:  # on a damaged file Pillow's decoders raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: cannot be read, damaged or truncated ({reason}); replace it or remove it"
        ) from error


def upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF orientation says (Pillow has done so already for a TIFF)."""
    return ImageOps.exif_transpose(image)


def read_grey(path: str | Path, window: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Read a PNG, JPEG, TIFF or DICOM file as grey values.

    Colours and palettes become luminance, alpha is ignored, EXIF orientation is applied. Of DICOM see
    `dicom.read_dicom`.

    Args:
        path: the image file.
        window: two percentiles in 0..100, as (0.5, 99.5), whose grey values become 0 and 255: for
            12-bit data in 16-bit files. None takes the full range of the type (65535 -> 255) and of
            DICOM the window that the file asks for.

    Returns:
        Shape (height, width), 0 (black) to 255 (white).

    Raises:
        InputError: if the file cannot be read (see `open_image`), or if its values have no full
            range (floating point, or beyond 16 bits) and no window is given.
    """
    if is_dicom(path):
        pixels = read_dicom(path, MOST_PIXELS, with_voi=window is None)
        if window is not None:
            return _stretch(pixels.values, window, path)
        return _scale(pixels.values, pixels.low, pixels.high)
    with open_image(path) as image:
        image.load()
        inverted = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
        image = upright(image)
        if not image.mode.startswith(("I", "F")):
            # A palette goes by its colours; "P" to "L" alone would do the same but for alpha.
            grey = np.array(image if image.mode == "L" else image.convert("RGB").convert("L"))
            return grey if window is None else _stretch(grey, window, path)
        values = np.asarray(image)
    grey = _full_range(values, path) if window is None else _stretch(values, window, path)
    # Pillow inverts 8-bit TIFFs in which white is zero, and leaves deeper ones as they are.
    return 255 - grey if inverted else grey


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) in pixels as `read_grey` gives them, from the header alone.

    Raises:
        InputError: if the header cannot be read (see `open_image`).
    """
    if is_dicom(path):
        return dicom_size(path, MOST_PIXELS)
    with open_image(path) as image:
        width, height = image.size
        # Orientations 5 to 8 turn by a quarter. The size of a TIFF is turned already.
        if image.format != "TIFF" and image.getexif().get(_ORIENTATION) in (5, 6, 7, 8):
            width, height = height, width
    return height, width


def resize_grey(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize grey values to (height, width), antialiased; the aspect is not kept (the paper)."""
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.array(resized)


def write_grey(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write grey values (height, width), 0..255, as an 8-bit PNG, atomically."""
    with atomic(path) as private:
        Image.fromarray(np.ascontiguousarray(image)).save(private, format="PNG")


def _full_range(values: NDArray[Any], path: str | Path) -> NDArray[np.uint8]:
    """Grey values of 16 bits -> 8 bits, rounded."""
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise InputError(
            f"{path}: its grey values are not 0 to 65535 ({values.dtype}, {values.min():g} to "
            f"{values.max():g}); set a percentile window or save it with 8 or 16 bits"
        )
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _stretch(values: NDArray[Any], window: tuple[float, float], path: str | Path) -> NDArray[np.uint8]:
    """Grey values between two percentiles -> 0..255, clipped."""
    if not 0 <= window[0] < window[1] <= 100:
        raise InputError(f"window {window}: not two rising percentiles; write for instance 0.5, 99.5")
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinite grey values; save it with 8 or 16 bits")
    low, high = np.percentile(values, window)
    if high <= low:  # nearly all pixels are of one value: take what there is
        low, high = float(values.min()), float(values.max())
    return _scale(values, low, high)


def _scale(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Grey values from `low` to `high` -> 0..255, clipped."""
    scaled = (values.astype(np.float64) - low) / max(high - low, np.finfo(np.float64).tiny)
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def _too_large(path: Path) -> InputError:
    return InputError(f"{path}: has more than {MOST_PIXELS:,} pixels; resize it or remove it")
