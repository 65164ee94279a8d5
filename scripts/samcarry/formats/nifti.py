"""Reader of masks in NIfTI files: a map of numbers, or a channel of 0 and 1 a class.

The first axis is the column and the second the row, as nibabel and ITK have it; what the header says of
the patient's directions is not looked at. `exporting.write_nifti` writes such files.
"""

import gzip
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError, raise_faults
from samcarry.formats.class_tables import LARGEST_NUMBER, ClassTable
from samcarry.formats.label_maps import shapes_of_values
from samcarry.formats.run_lengths import runs_of
from samcarry.formats.shapes import Annotation, Choose, Shape, as_it_is
from samcarry.images import MOST_PIXELS
from samcarry.storage.stacks import Stack, write_stack

NIFTI_SUFFIXES = (".nii", ".nii.gz")
_MOST_BYTES = 1_000_000_000  # of the values, unpacked
_MOST_EXTRA = 10_000_000  # before and behind them
_HEADER_SIZES = {348: nib.Nifti1Image, 540: nib.Nifti2Image}


def read_nifti(
    path: str | Path, choose: Choose = as_it_is, *, table: ClassTable | None = None
) -> list[Annotation]:
    """Read a NIfTI file, which is of the image that has the same name.

    A file of one slice holds numbers, 0 for the background. One of several channels holds 0 and 1, a
    class each, if it is an export of ours, which names them, or `table` names numbers 1, 2, and so on, as
    many as there are channels. Anything else of more than one slice is a volume, and refused.

    Args:
        path: a .nii or .nii.gz file.
        choose: names the class of a name, None to pass over it.
        table: None calls each number's class by the number.

    Returns:
        One annotation.

    Raises:
        InputError: if the file is missing, damaged or truncated, a volume, or unpacks to far more than its
            header tells; if it holds what is no whole number, or a number that the table does not name.
    """
    path = Path(path)
    image = _load(path)
    shape = image.shape
    names = _channel_names(image, path, table)
    if names is None:
        values = _whole(_slice(image, path, ...), path)
        shapes = shapes_of_values(
            values, path, choose, None if table is None else table.numbers, table.source if table else ""
        )
    else:
        shapes = _channels(image, path, names, choose)
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    return [Annotation(path, name, (shape[1], shape[0]), shapes)]


def _load(path: Path) -> Any:
    """The file, unpacked as far as its header tells, and no further."""
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            start = stream.read(max(_HEADER_SIZES))
            if not start:
                raise InputError(f"{path}: the file is empty; export it again")
            kind = next(
                (
                    kind
                    for size, kind in _HEADER_SIZES.items()
                    for order in ("little", "big")
                    if int.from_bytes(start[:4], order) == size
                ),
                None,
            )
            if kind is None:
                raise InputError(f"{path}: is no NIfTI file; convert it or remove it")
            header = kind.header_class.from_fileobj(io.BytesIO(start))
            wanted = _size(header, path)
            content = start + stream.read(wanted + _MOST_EXTRA - len(start))
        if len(content) < wanted:
            raise InputError(f"{path}: is truncated; export it again")
        if len(content) == wanted + _MOST_EXTRA:
            raise InputError(f"{path}: goes on far beyond what its header tells; export it again")
        return kind.from_bytes(content)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except Exception as error:  # on a damaged file nibabel raises nearly anything
        raise _damaged(path, error) from None


def _size(header: Any, path: Path) -> int:
    """Bytes up to the end of the values of an image that may be read."""
    shape, kind = header.get_data_shape(), header.get_data_dtype()
    if kind.kind not in "buif" or kind.itemsize > 8:
        raise InputError(f"{path}: holds values of the type {kind}; save it as 8-bit whole numbers")
    if len(shape) < 2 or min(shape) < 1 or shape[0] * shape[1] > MOST_PIXELS:
        raise InputError(f"{path}: is {' x '.join(map(str, shape))}, no image's size; export it again")
    size = int(np.prod(shape, dtype=object)) * kind.itemsize
    if size > _MOST_BYTES:
        raise InputError(f"{path}: unpacks to more than {_MOST_BYTES:,} bytes; save it with 8 bits")
    offset = float(header["vox_offset"])
    if not 0 <= offset <= _MOST_EXTRA:
        raise InputError(f"{path}: its values begin at byte {offset:g}, as they never do; export it again")
    return int(offset) + size


def _channel_names(image: Any, path: Path, table: ClassTable | None) -> list[str | None] | None:
    """The class of each channel; None where the file is of one slice, with numbers."""
    ours = _our_names(image)
    slices = [side for side in image.shape[2:] if side > 1]
    if ours is not None and image.shape[2:] == (1, len(ours)):
        return list(ours)
    if not slices:
        return None
    if (
        len(slices) == 1
        and table is not None
        and sorted(table.numbers.keys() - {0}) == list(range(1, slices[0] + 1))
    ):
        return [table.numbers[number] for number in range(1, slices[0] + 1)]
    raise InputError(
        f"{path}: is a volume of {' x '.join(map(str, image.shape))}; export one slice, or name "
        f"channels that are classes in a table, as 1 to {slices[0]}"
    )


def _our_names(image: Any) -> list[str] | None:
    """The classes that `exporting.write_nifti` put into the header."""
    for extension in image.header.extensions:
        try:
            written = json.loads(extension.get_content())
        except (ValueError, TypeError, RecursionError):
            continue  # what another program noted there
        names = written.get("classes") if isinstance(written, dict) else None
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return names
    return None


def _channels(image: Any, path: Path, names: list[str | None], choose: Choose) -> tuple[Shape, ...]:
    """The shape of each channel of 0 and 1; one without a pixel has none."""
    faults: list[str] = []
    shapes = []
    singular = (0,) * (image.ndim - 3)
    for index, name in enumerate(names):
        place = f"channel {index + 1} ({name!r})"
        try:
            # The classes may lie on the third axis or behind one of length 1.
            at = (..., *singular, index) if image.shape[-1] == len(names) else (..., index, *singular)
            values = _whole(_slice(image, path, at), path)
            if values.max() > 1:
                raise InputError(f"{path}: {place} holds {values.max()}, and not 0 and 1 alone; export masks")
            class_name = None if name is None or not values.any() else choose(name)
        except InputError as error:
            message = str(error)
            faults.append(message if message.startswith(str(path)) else f"{path}: {place} {message}")
            continue
        if class_name is not None:
            shapes.append(Shape(place, class_name, (runs_of(values != 0),)))
    raise_faults(faults)
    return tuple(shapes)


def _slice(image: Any, path: Path, at: Any) -> NDArray[Any]:
    """One slice, scaled as the header tells, as (height, width)."""
    try:
        values = np.asarray(image.dataobj[at])
        return values.reshape(image.shape[:2]).T
    except Exception as error:
        raise _damaged(path, error) from None


def _whole(values: NDArray[Any], path: Path) -> NDArray[np.integer]:
    """Values of any type as whole numbers of 0 to 65535."""
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinite values; save it as whole numbers")
    low, high = values.min(), values.max()
    if low < 0 or high > LARGEST_NUMBER:
        raise InputError(
            f"{path}: holds {low:g} to {high:g}, and not 0 to {LARGEST_NUMBER}; export a label map"
        )
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        raise InputError(f"{path}: holds fractions; export masks, not probabilities")
    return values.astype(np.uint16)


def _damaged(path: Path, error: Exception) -> InputError:
    kind = "truncated" if isinstance(error, EOFError) else "damaged"
    reason = (
        " ".join(str(error).split())[:100]
        if isinstance(error, OSError | zlib.error)
        else type(error).__name__
    )
    return InputError(f"{path}: cannot be read as NIfTI, {kind} ({reason}); export it again")


def write_nifti(path: str | Path, masks: NDArray[np.bool_], classes: Sequence[str], case: str) -> None:
    """Write masks (class, height, width) as .nii.gz with axes (x, y, 1, class), a 0/1 channel a class.

    It is a `stacks.Stack` of one case: `read_stack` gives it back with the names of its classes.
    """
    write_stack(path, Stack(masks[None].astype(np.uint8), "mask", (case,), tuple(classes)))
