"""Read radiographs from PNG, JPEG, TIFF and DICOM files as 8-bit grey images; resize and write them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from samcarry.errors import InputError
from samcarry.images import MOST_PIXELS
from samcarry.images.dicom import dicom_size, is_dicom, read_dicom
from samcarry.images.preparation import check_window
from samcarry.storage.files import atomic
from samcarry.storage.reading import system_fault

_MAX_PIXELS_PER_BYTE = 8 * 1032  # 1-bit pixels at the highest compression that PNG can reach
_FORMATS = ("PNG", "JPEG", "TIFF")  # recognised by content; the suffix is ignored
_WHITE_IS_ZERO = 0  # value of the tag PhotometricInterpretation


@contextmanager
def open_image(path: str | Path, formats: Sequence[str] = _FORMATS) -> Iterator[Image.Image]:
    """Yield the Pillow image in `path` with its header checked and its pixels not yet decoded.

    Errors that Pillow raises inside the block, for example while decoding, become InputErrors too.

    Raises:
        InputError: the file is missing, empty, unreadable, truncated or of another format, or it has more
            than one frame, more than 100 million pixels, or colours or alpha of more than 8 bits each.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty; save it again or remove it")
        # Given a path, Pillow memory-maps uncompressed TIFFs and garbles those with a rotated orientation.
        with path.open("rb") as stream, Image.open(stream, formats=tuple(formats)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _too_large(path)
            if getattr(image, "n_frames", 1) > 1:
                raise InputError(f"{path}: contains several frames or pages; save only one of them")
            if _loses_bits(image):
                raise InputError(
                    f"{path}: has colours or alpha of 16 bits each, of which only 8 could be read; save it "
                    "as grey with 16 bits, or with 8 bits each"
                )
            # Pillow fills the missing pixels of a short but well-formed PNG with black.
            max_pixels = _MAX_PIXELS_PER_BYTE * path.stat().st_size
            if image.format == "PNG" and image.width * image.height > max_pixels:
                raise InputError(
                    f"{path}: contains fewer pixels than its header says; save it again or remove it"
                )
            yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except Image.UnidentifiedImageError:
        allowed = ", ".join(formats)
        raise InputError(f"{path}: not a {allowed} file; convert it or remove it") from None
    except Exception as error:  # Pillow's decoders raise almost any exception on a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise system_fault(path, error) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: cannot be read, it is damaged or truncated ({reason}); replace it or remove it"
        ) from error


def raw_mode(image: Image.Image) -> str:
    """Pillow's name of how an image that is not yet decoded stores its pixels, such as 'L;4'."""
    tiles = getattr(image, "tile", ())
    arguments = tiles[0].args if tiles else ""
    return arguments if isinstance(arguments, str) else str(arguments[0])


def _loses_bits(image: Image.Image) -> bool:
    """Whether Pillow, whose colours have 8 bits, would decode only the upper half of each value."""
    if image.mode.startswith(("I", "F")):
        return False
    bits = getattr(image, "tag_v2", {}).get(ExifTags.Base.BitsPerSample, ())  # of a TIFF
    return ";16" in raw_mode(image) or any(value > 8 for value in bits)


def upright(image: Image.Image) -> Image.Image:
    """The image rotated according to its EXIF orientation; Pillow has already done so for a TIFF."""
    return ImageOps.exif_transpose(image)


def is_turned(path: str | Path) -> bool:
    """Whether an image is stored turned or mirrored, and its orientation tag says how it becomes upright.

    Raises:
        InputError: the header cannot be read, see `open_image`.
    """
    if is_dicom(path):
        return False
    with open_image(path) as image:
        if image.format == "TIFF":
            return getattr(image, "tag_v2", {}).get(ExifTags.Base.Orientation, 1) != 1
        return bool(image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9))


def is_white_zero(image: Image.Image) -> bool:
    """Whether an image is a TIFF in which 0 is white (PhotometricInterpretation WhiteIsZero)."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(ExifTags.Base.PhotometricInterpretation) == _WHITE_IS_ZERO


def read_grey(path: str | Path, window: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """The grey values (height, width) of a PNG, JPEG, TIFF or DICOM file, 0 (black) to 255 (white).

    Colours and palettes become luminance, alpha is ignored, and the EXIF orientation is applied. For DICOM
    see `dicom.read_dicom`.

    Args:
        path: the image file.
        window: two percentiles in 0..100, for example (0.5, 99.5), whose grey values become 0 and 255; use
            it for 12-bit data in 16-bit files. None takes the full range of the data type (65535 -> 255),
            and for DICOM the window in the file.

    Raises:
        InputError: the file cannot be read (see `open_image`), its values are floating point or exceed 16
            bits and no window is given, or the window is refused by `check_window`.
    """
    if is_dicom(path):
        pixels = read_dicom(path, MOST_PIXELS, with_voi=window is None)
        if window is not None:
            return _stretch(pixels.values, window, path)
        return _scale(pixels.values, pixels.low, pixels.high)
    with open_image(path) as image:
        image.load()
        inverted = is_white_zero(image)
        values = grey_values(upright(image))
    grey = as_grey(values, window, path)
    # Pillow inverts 8-bit TIFFs in which white is zero, but not those with more bits.
    return 255 - grey if inverted and values.dtype != np.uint8 else grey


def grey_values(image: Image.Image) -> NDArray[Any]:
    """The grey values (height, width) of a Pillow image with all their bits; colours become luminance."""
    if image.mode.startswith(("I", "F")):
        return np.asarray(image)
    # A palette is converted by way of RGB; "P" to "L" directly would treat alpha differently.
    return np.array(image if image.mode == "L" else image.convert("RGB").convert("L"))


def as_grey(values: NDArray[Any], window: tuple[float, float] | None, name: str | Path) -> NDArray[np.uint8]:
    """Grey values (height, width) of 8 or 16 bits as 0 (black) to 255 (white); 8 bits stay unchanged.

    Args:
        values: the grey values.
        window: as for `read_grey`.
        name: what messages call the image.

    Raises:
        InputError: the values are floating point or exceed 16 bits and no window is given.
    """
    if window is not None:
        return _stretch(values, window, name)
    return values if values.dtype == np.uint8 else _full_range(values, name)


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) in pixels of the image that `read_grey` returns; only the header is read.

    Raises:
        InputError: the header cannot be read, see `open_image`.
    """
    if is_dicom(path):
        return dicom_size(path, MOST_PIXELS)
    with open_image(path) as image:
        width, height = image.size
        # Orientations 5 to 8 swap rows and columns. Pillow has already swapped the size of a TIFF.
        if image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8):
            width, height = height, width
    return height, width


def resize_grey(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Grey values resized to (height, width) with antialiasing; as in the paper, the aspect is not kept."""
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.array(resized)


def write_grey(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write grey values (height, width), 0..255, as an 8-bit PNG, atomically."""
    with atomic(path) as private:
        Image.fromarray(np.ascontiguousarray(image)).save(private, format="PNG")


def _full_range(values: NDArray[Any], path: str | Path) -> NDArray[np.uint8]:
    """16-bit grey values as 8-bit values, rounded."""
    if not has_16_bits(values):
        raise InputError(
            f"{path}: its grey values are not integers from 0 to 65535 ({values.dtype}, {values.min():g} to "
            f"{values.max():g}); set a percentile window or save it with 8 or 16 bits"
        )
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def has_16_bits(values: NDArray[Any]) -> bool:
    """Whether grey values are integers from 0 to 65535."""
    return values.dtype.kind != "f" and values.min() >= 0 and values.max() <= 65535


def _stretch(values: NDArray[Any], window: tuple[float, float], path: str | Path) -> NDArray[np.uint8]:
    """Grey values as 8-bit values: two percentiles become 0 and 255, and the rest is clipped."""
    check_window(window)
    if not np.isfinite(values).all():
        raise InputError(f"{path}: contains NaN or infinite grey values; save it with 8 or 16 bits")
    low, high = np.percentile(values, window)
    if high <= low:  # nearly all pixels have the same value, so use the full range instead
        low, high = float(values.min()), float(values.max())
    return _scale(values, low, high)


def _scale(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Grey values as 8-bit values: `low` becomes 0, `high` becomes 255, and the rest is clipped."""
    scaled = (values.astype(np.float64) - low) / max(high - low, np.finfo(np.float64).tiny)
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def _too_large(path: Path) -> InputError:
    return InputError(f"{path}: has more than {MOST_PIXELS:,} pixels; resize it or remove it")
