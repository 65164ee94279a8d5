"""Read DICOM radiographs as grey values, without any personal data.

Only the header elements that turn pixels into grey values are read, and a few codes on request. Names, dates
and pydicom's messages about them never reach a result, a message or a log.

Functions import pydicom themselves, because it takes as long as reading ten images, which need not be DICOM.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.images import DICOM_SUFFIXES
from samcarry.storage.reading import system_fault

if TYPE_CHECKING:
    from pydicom import Dataset

_PREAMBLE, _MAGIC = 128, b"DICM"
_IMAGE = "Image Storage"
_PALETTE = "PALETTE COLOR"
_SHAPE = ["Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"]

_COLOURS = {"Red": 0.299, "Green": 0.587, "Blue": 0.114}  # their shares of luminance, as Pillow has them
_GREY_VALUES = [
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    *(f"{colour}PaletteColorLookupTable{part}" for colour in _COLOURS for part in ("Data", "Descriptor")),
    "PixelData",
]


@dataclass(frozen=True)
class DicomPixels:
    """Grey values of a radiograph.

    Attributes:
        values: finite float64 (height, width); higher is brighter.
        low: the value of black.
        high: the value of white, above `low`.
    """

    values: NDArray[np.float64]
    low: float
    high: float


def is_dicom(path: str | Path) -> bool:
    """Whether a file is DICOM by its suffix or, since many DICOM files have none, by its content."""
    path = Path(path)
    if path.suffix.lower() in DICOM_SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        return False
    except OSError as error:
        raise system_fault(path, error) from error


def dicom_size(path: str | Path, most_pixels: int) -> tuple[int, int]:
    """(height, width) of a radiograph with at most `most_pixels` pixels; only the header is read.

    Raises:
        InputError: see `read_dicom`.
    """
    path = Path(path)
    with hide_dicom_messages(path):
        return _size(_header(path, _SHAPE), path, most_pixels)


def dicom_codes(path: str | Path, keywords: list[str]) -> dict[str, str]:
    """Coded elements of a header in capital letters, such as {'ImageLaterality': 'R'}; '' if one is missing.

    Raises:
        InputError: the file is missing, empty, not DICOM or damaged.
    """
    path = Path(path)
    with hide_dicom_messages(path):
        header = _header(path, [*_SHAPE, *keywords])
        return {keyword: str(header.get(keyword) or "").strip().upper() for keyword in keywords}


def burned_in_code(path: str | Path) -> str:
    """What a file says of text in its pixels: 'YES', 'NO', or '' for nothing or another format.

    Raises:
        InputError: the file is damaged.
    """
    return dicom_codes(path, ["BurnedInAnnotation"])["BurnedInAnnotation"] if is_dicom(path) else ""


def dicom_spacing(path: str | Path) -> tuple[float, float] | None:
    """(height, width) of a pixel in mm according to a header, see `dicom_pixel_size`; None if not known.

    Raises:
        InputError: the file is missing, empty, not DICOM or damaged.
    """
    found = dicom_pixel_size(path)
    return None if found is None else found[0]


def dicom_pixel_size(path: str | Path) -> tuple[tuple[float, float], str] | None:
    """(height, width) of a pixel in mm according to a header, and its source; None if it does not say.

    The source is 'PixelSpacing' if it is that of the object, as of a calibrated image. It is
    'ImagerPixelSpacing' if it is that at the detector, where the object appears magnified; PixelSpacing of
    the same value says no more than this (PS3.3, 10.7.1.3).

    Raises:
        InputError: the file is missing, empty, not DICOM or damaged.
    """
    path = Path(path)
    sources = ["PixelSpacing", "ImagerPixelSpacing"]
    found = {}
    with hide_dicom_messages(path):
        header = _header(path, [*_SHAPE, *sources])
        for source in sources:
            values = [float(value) for value in header.get(source) or ()]
            if len(values) == 2 and np.isfinite(values).all() and min(values) > 0:
                found[source] = (values[0], values[1])
    if not found:
        return None
    size = next(iter(found.values()))
    at_detector = found.get("ImagerPixelSpacing")
    return size, sources[1] if at_detector is not None and np.allclose(size, at_detector) else sources[0]


def other_dicom_object(path: str | Path) -> str | None:
    """What a DICOM file is if it is not an image, by the standard's name of its class; None for an image.

    Such files are on every CD: its directory (DICOMDIR), reports, waveforms, presentation states. A class
    that is missing or not of the standard counts as an image, so that reading it says what is wrong. A
    segmentation is not an image either.
    """
    from pydicom.filereader import read_file_meta_info

    path = Path(path)
    try:
        with hide_dicom_messages(path):
            uid = read_file_meta_info(path).get("MediaStorageSOPClassUID")
    except InputError:
        return None
    if uid is None or uid.name == uid or uid.type not in ("SOP Class", "Media Storage SOP Class"):
        return None
    name: str = uid.name
    return None if _IMAGE in name else name.removesuffix(" Storage")


def read_dicom(path: str | Path, most_pixels: int, *, with_voi: bool) -> DicomPixels:
    """The grey values of a single-frame DICOM image of 8 to 16 bits, grey or with a palette.

    The colours of a palette become luminance, and nothing else is applied to them. For grey images, the
    modality transformation (table or rescaling) is applied, and then, if requested, the first VOI
    transformation (table or window). MONOCHROME1, in which higher values are darker, is inverted.

    Args:
        path: the file; its preamble may be missing.
        most_pixels: larger images are rejected before they are decoded.
        with_voi: apply the VOI transformation; False leaves the choice of a window to the caller.

    Raises:
        InputError: the file is missing, empty, not DICOM, damaged or truncated; it has no pixels, colours,
            several frames or too many pixels; no installed decoder supports its compression; HighBit does
            not say where the values are; or its window cannot be applied.
    """
    from pydicom.pixels import apply_modality_lut

    path = Path(path)
    with hide_dicom_messages(path):
        header = _header(path, [*_SHAPE, *_GREY_VALUES])
        _size(header, path, most_pixels)
        if "PixelData" not in header:
            raise InputError(f"{path}: has no pixel data; export the image itself or remove it")
        if header.get("BitsAllocated") not in (8, 16):
            raise InputError(
                f"{path}: its pixels do not have 8 or 16 bits; export it as a radiograph of 8 to 16 bits"
            )
        if header.PhotometricInterpretation == _PALETTE:
            return _luminance(header, _decode(header, path))
        # pydicom subtracts a table's first value in the type of the pixels, where it may overflow.
        values = apply_modality_lut(_decode(header, path).astype(np.int32), header)
        low, high = _modality_range(header)
        if with_voi and header.get("VOILUTSequence"):
            low, high = 0.0, 2.0 ** header.VOILUTSequence[0].LUTDescriptor[2] - 1
            values = _apply_voi_table(np.rint(values).astype(np.int64), header, path)
        elif with_voi and None not in (header.get("WindowCenter"), header.get("WindowWidth")):
            values = _apply_window(values, header, path)
            if low > high:  # of a negative slope, pydicom makes the least value white
                values = low + high - values
        grey = values.astype(np.float64)
        low, high = min(low, high), max(low, high)
        if not (np.isfinite(grey).all() and np.isfinite([low, high]).all() and low < high):
            raise InputError(
                f"{path}: its rescaling or window is zero or not a finite number; export it again"
            )
        if header.PhotometricInterpretation == "MONOCHROME1":
            grey = low + high - grey
    return DicomPixels(grey, low, high)


def _header(path: Path, elements: list[str]) -> "Dataset":
    """The requested elements of the header."""
    from pydicom import dcmread, uid
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info

    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; save it again or remove it")
    try:
        # A small deflated file can contain a header of any size.
        if read_file_meta_info(path).get("TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian:
            raise InputError(f"{path}: is a deflated DICOM file; export it uncompressed")
        header = dcmread(path, specific_tags=elements)
    except InvalidDicomError:  # old archives omit the preamble
        header = dcmread(path, specific_tags=elements, force=True)
        if "Rows" not in header:
            raise InputError(f"{path}: is not a DICOM image; convert it or remove it") from None
    if "TransferSyntaxUID" not in header.file_meta:
        implicit, little = header.original_encoding
        explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
        header.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    return header


def _size(header: "Dataset", path: Path, most_pixels: int) -> tuple[int, int]:
    """(height, width) of the single grey image that a header describes."""
    height, width = header.get("Rows") or 0, header.get("Columns") or 0
    if height < 1 or width < 1:
        raise InputError(f"{path}: has no pixel data; export the image itself or remove it")
    if height * width > most_pixels:
        raise InputError(f"{path}: has more than {most_pixels:,} pixels; resize it or remove it")
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise InputError(f"{path}: contains several frames; export only one of them")
    grey = header.get("PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2", _PALETTE)
    if not grey or header.get("SamplesPerPixel", 1) != 1:
        raise InputError(
            f"{path}: is a colour image and not a radiograph; export it as MONOCHROME2 or remove it"
        )
    return int(height), int(width)


def _decode(header: "Dataset", path: Path) -> NDArray[np.generic]:
    """The stored values (height, width), before any transformation."""
    from pydicom.pixels import get_decoder

    stored, high = header.BitsStored, header.get("HighBit")
    high = stored - 1 if high is None else high
    below = high + 1 - stored
    syntax = header.file_meta.TransferSyntaxUID
    # Report only names from the standard's own list, because the text in the header may be anything.
    name = syntax.name if syntax.is_transfer_syntax else "an unknown transfer syntax"
    try:
        decodable = get_decoder(syntax).is_available
    except NotImplementedError:
        decodable = False
    if below and (syntax.is_compressed or not stored <= high < header.BitsAllocated):
        raise InputError(
            f"{path}: HighBit is {high}, but BitsStored is {stored}: it is not clear which bits hold the "
            "grey values; export it again"
        )
    if decodable and not syntax.is_compressed:
        # Old files may have unused bits below the values (PS3.5-1998, 8.1.1), which pydicom takes for values.
        header.BitsStored = high + 1
        values = header.pixel_array >> below  # only damage can make this fail
        header.BitsStored = stored
    else:
        cure = "export it uncompressed, for example with dcmdjpeg or gdcmconv --raw"
        if not decodable:
            raise InputError(f"{path}: no installed decoder supports its compression ({name}); {cure}")
        try:
            values = header.pixel_array
        except Exception:  # decoders raise almost any exception
            raise InputError(
                f"{path}: its compressed pixels ({name}) are damaged or not supported by any installed "
                f"decoder; {cure}"
            ) from None
    if values.shape != (header.Rows, header.Columns):
        raise InputError(f"{path}: the size of its pixel data differs from its header; export it again")
    return values


def _luminance(header: "Dataset", indices: NDArray[np.generic]) -> DicomPixels:
    """The luminance of indices (height, width) of a palette."""
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(indices, header)[..., :3]
    grey = colours.astype(np.float64) @ np.array([*_COLOURS.values()])
    return DicomPixels(grey, 0.0, float(np.iinfo(colours.dtype).max))


def _apply_voi_table(values: NDArray[np.int64], header: "Dataset", path: Path) -> NDArray[np.generic]:
    """Values (height, width) after the first VOI table of a header."""
    from pydicom.pixels import apply_voi_lut

    table = header.VOILUTSequence[0]
    entries, first, bits = table.LUTDescriptor
    # pydicom counts the entries in the type of the output, so 8 bits reach 256 of them, and 16 bits 65536.
    table.LUTDescriptor = [entries, first, 16 if bits == 8 else bits]
    mapped = apply_voi_lut(np.clip(values, first, first + (entries or 2**16) - 1), header)
    if bits == 8 and mapped.max() > 255:
        raise InputError(f"{path}: its VOI table of 8 bits holds values above 255; export it again")
    return mapped


def _apply_window(values: NDArray[Any], header: "Dataset", path: Path) -> NDArray[np.float64]:
    """Values (height, width) after the first window of a header."""
    from pydicom.pixels import apply_voi_lut

    try:
        return apply_voi_lut(values, header)
    except ValueError:  # its text quotes the header
        raise InputError(
            f"{path}: its window cannot be applied: WindowWidth is below 1, or VOILUTFunction is not one of "
            "the standard; set a percentile window or export it again"
        ) from None


def _modality_range(header: "Dataset") -> tuple[float, float]:
    """The range of stored values after the modality transformation; the ends may be swapped."""
    if header.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** header.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    bits = header.BitsStored
    ends = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if header.PixelRepresentation else (0, 2.0**bits - 1)
    if "RescaleSlope" not in header or "RescaleIntercept" not in header:
        return ends
    slope, intercept = float(header.RescaleSlope), float(header.RescaleIntercept)
    return ends[0] * slope + intercept, ends[1] * slope + intercept


@contextmanager
def hide_dicom_messages(path: Path) -> Iterator[None]:
    """Suppress messages of pydicom and highdicom, which quote the header, and simplify their errors.

    Raises:
        InputError: pydicom or highdicom raised any exception.
    """
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.propagate = False
        if not logger.handlers:  # without a handler, warnings would still be printed
            logger.addHandler(logging.NullHandler())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:  # pydicom raises almost any exception on a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise system_fault(path, error) from None
        raise InputError(
            f"{path}: cannot be read as DICOM, it is damaged or truncated ({type(error).__name__}); "
            "export it again or remove it"
        ) from None
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.propagate = propagate
