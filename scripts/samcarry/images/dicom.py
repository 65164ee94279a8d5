"""DICOM radiographs: grey values by the file's own look-up tables, and nothing else of the header.

Only the elements that say how pixels become grey values are read. Neither names and dates nor what
pydicom says of them reach an answer, a message or a log.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.pixels import apply_modality_lut, apply_voi_lut, get_decoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from samcarry.errors import InputError
from samcarry.images import DICOM_SUFFIXES

_PREAMBLE, _MAGIC = 128, b"DICM"
_SHAPE = ["Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"]

_GREY_VALUES = [
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PlanarConfiguration"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "PixelData"),
]


@dataclass(frozen=True)
class DicomPixels:
    """What a radiograph's pixels say.

    Attributes:
        values: finite float64 (height, width), more is brighter.
        low: the value that is black.
        high: the value that is white, above `low`.
    """

    values: NDArray[np.float64]
    low: float
    high: float


def is_dicom(path: str | Path) -> bool:
    """Whether a file is meant to be DICOM: by its suffix or, since many have none, by its content."""
    path = Path(path)
    if path.suffix.lower() in DICOM_SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC
    except OSError:
        return False


def dicom_size(path: str | Path, most_pixels: int) -> tuple[int, int]:
    """(height, width) of a radiograph of at most `most_pixels`, from the header alone.

    Raises:
        InputError: see `read_dicom`.
    """
    path = Path(path)
    with quiet(path):
        return _size(_header(path, _SHAPE), path, most_pixels)


def read_dicom(path: str | Path, most_pixels: int, *, with_voi: bool) -> DicomPixels:
    """Read a single-frame grey DICOM image of 8 to 16 bits.

    The modality look-up (table or rescaling) is applied and then, if wanted, the first VOI look-up
    (table or window). MONOCHROME1, in which more is darker, is inverted.

    Args:
        path: the file; a missing preamble is forgiven.
        most_pixels: larger images are refused before they are decoded.
        with_voi: False leaves the choice of a window to the caller.

    Raises:
        InputError: if the file is missing, empty, no DICOM, damaged or truncated; holds no pixels,
            colours, several frames or too many pixels; or is compressed in a way that no installed
            decoder knows.
    """
    path = Path(path)
    with quiet(path):
        header = _header(path, [*_SHAPE, *_GREY_VALUES])
        _size(header, path, most_pixels)
        if "PixelData" not in header:
            raise InputError(f"{path}: a DICOM file without pixel data; export the image itself or remove it")
        if header.get("BitsAllocated") not in (8, 16):
            raise InputError(
                f"{path}: its pixels do not have 8 or 16 bits; export it as an ordinary radiograph"
            )
        values = apply_modality_lut(_decode(header, path), header)
        low, high = _modality_range(header)
        if with_voi and header.get("VOILUTSequence"):
            values = apply_voi_lut(np.rint(values).astype(np.int64), header)
            low, high = 0.0, 2.0 ** header.VOILUTSequence[0].LUTDescriptor[2] - 1
        elif with_voi:
            values = apply_voi_lut(values, header)
        grey = values.astype(np.float64)
        low, high = min(low, high), max(low, high)
        if not (np.isfinite(grey).all() and np.isfinite([low, high]).all() and low < high):
            raise InputError(f"{path}: its rescaling or window is no finite number or zero; export it anew")
        if header.PhotometricInterpretation == "MONOCHROME1":
            grey = low + high - grey
    return DicomPixels(grey, low, high)


def _header(path: Path, elements: list[str]) -> Dataset:
    """Those elements of the header that are asked for."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; save it again or remove it")
    try:
        # Deflated, a small file can hold a header of any size.
        if read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            raise InputError(f"{path}: is a deflated DICOM file; export it uncompressed")
        header = dcmread(path, specific_tags=elements)
    except InvalidDicomError:  # old archives leave the preamble out
        header = dcmread(path, specific_tags=elements, force=True)
        if "Rows" not in header:
            raise InputError(f"{path}: is not a DICOM image; convert it or remove it") from None
    if "TransferSyntaxUID" not in header.file_meta:
        implicit, little = header.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return header


def _size(header: Dataset, path: Path, most_pixels: int) -> tuple[int, int]:
    """(height, width) of a header that speaks of one grey image."""
    height, width = header.get("Rows") or 0, header.get("Columns") or 0
    if height < 1 or width < 1:
        raise InputError(f"{path}: a DICOM file without pixel data; export the image itself or remove it")
    if height * width > most_pixels:
        raise InputError(f"{path}: has more than {most_pixels:,} pixels; resize it or remove it")
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise InputError(f"{path}: holds several frames; export one of them alone")
    grey = header.get("PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2")
    if not grey or header.get("SamplesPerPixel", 1) != 1:
        raise InputError(f"{path}: is a colour image, no radiograph; export it as MONOCHROME2 or remove it")
    return int(height), int(width)


def _decode(header: Dataset, path: Path) -> NDArray[np.generic]:
    """Stored values (height, width)."""
    syntax = header.file_meta.TransferSyntaxUID
    # Only a name from the standard's own list is told: the header's text may be anything.
    name = syntax.name if syntax.is_transfer_syntax else "an unknown transfer syntax"
    try:
        known = get_decoder(syntax).is_available
    except NotImplementedError:
        known = False
    if known and not syntax.is_compressed:
        values = header.pixel_array  # only damage can make this fail
    else:
        cure = "export it uncompressed, for instance with dcmdjpeg or gdcmconv --raw"
        if not known:
            raise InputError(f"{path}: no installed decoder reads its compression ({name}); {cure}")
        try:
            values = header.pixel_array
        except Exception:  # decoders raise nearly anything
            raise InputError(
                f"{path}: its compressed pixels ({name}) are damaged or of a kind that no installed "
                f"decoder reads; {cure}"
            ) from None
    if values.shape != (header.Rows, header.Columns):
        raise InputError(f"{path}: its pixels are not of the size that its header tells; export it anew")
    return values


def _modality_range(header: Dataset) -> tuple[float, float]:
    """The range that stored values have after the modality look-up; the ends may be swapped."""
    if header.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** header.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    bits = header.BitsStored
    ends = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if header.PixelRepresentation else (0, 2.0**bits - 1)
    if "RescaleSlope" not in header or "RescaleIntercept" not in header:
        return ends
    slope, intercept = float(header.RescaleSlope), float(header.RescaleIntercept)
    return ends[0] * slope + intercept, ends[1] * slope + intercept


@contextmanager
def quiet(path: Path) -> Iterator[None]:
    """Keep what pydicom and highdicom say to ourselves, and make a line of their errors.

    They quote the header.
    """
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.propagate = False
        if not logger.handlers:  # without one, warnings would go to the terminal all the same
            logger.addHandler(logging.NullHandler())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:  # on a damaged file pydicom raises nearly anything
        raise InputError(
            f"{path}: cannot be read as DICOM, damaged or truncated ({type(error).__name__}); "
            "export it anew or remove it"
        ) from None
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.propagate = propagate
