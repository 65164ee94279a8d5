"""NIfTI masks: reading maps of numbers or one channel per class, and writing channels.

The first axis is the column and the second the row, as in nibabel and ITK; the patient orientation in the
header is ignored.
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
from samcarry.geometry.run_lengths import encode_mask
from samcarry.geometry.shapes import Annotation, ClassMapper, LabelledShape, same_name
from samcarry.images import MOST_PIXELS
from samcarry.storage.reading import system_fault
from samcarry.storage.stacks import Stack, write_stack

NIFTI_SUFFIXES = (".nii", ".nii.gz")
_MAX_BYTES = 1_000_000_000  # of the values, decompressed
_MAX_EXTRA = 10_000_000  # bytes before and after them
_HEADER_SIZES = {348: nib.Nifti1Image, 540: nib.Nifti2Image}


def read_nifti(
    path: str | Path, map_class: ClassMapper = same_name, *, table: ClassTable | None = None
) -> list[Annotation]:
    """Read a NIfTI file, which annotates the image of the same name.

    A file with one slice holds numbers, 0 for the background. A file with several slices is read as channels
    of 0 and 1, one per class, if `write_nifti` wrote it (the header then names the classes) or if `table`
    names exactly the numbers 1 to the number of channels. Any other file with several slices is a volume and
    is refused.

    Args:
        path: a .nii or .nii.gz file.
        map_class: maps a name to a class, None to skip it.
        table: None uses each number as the name of its class.

    Returns:
        One annotation.

    Raises:
        InputError: the file is missing, damaged, truncated, a volume, or far larger than its header says; it
            holds values that are not whole numbers, or a number that the table does not name.
    """
    path = Path(path)
    image = _load_image(path)
    shape = image.shape
    names = _channel_names(image, path, table)
    if names is None:
        values = _to_whole_numbers(_slice(image, path, ...), path)
        shapes = shapes_of_values(
            values, path, map_class, None if table is None else table.numbers, table.source if table else ""
        )
    else:
        shapes = _channels(image, path, names, map_class)
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    return [Annotation(path, name, (shape[1], shape[0]), shapes, spacing=_spacing(image))]


def _spacing(image: Any) -> tuple[float, float] | None:
    """(height, width) of a pixel in mm; None if the header does not say, or says 1 × 1 as by default."""
    width, height = (float(size) for size in image.header.get_zooms()[:2])
    if (height, width) == (1, 1) or not all(0 < size < np.inf for size in (height, width)):
        return None
    factor = {"meter": 1000, "micron": 0.001}.get(image.header.get_xyzt_units()[0], 1)
    return height * factor, width * factor


def _load_image(path: Path) -> Any:
    """The image in a file, of which no more is decompressed than its header declares."""
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
                raise InputError(f"{path}: is not a NIfTI file; convert it or remove it")
            header = kind.header_class.from_fileobj(io.BytesIO(start))
            wanted = _end_of_values(header, path)
            content = start + stream.read(wanted + _MAX_EXTRA - len(start))
        if len(content) < wanted:
            raise InputError(f"{path}: is truncated; export it again")
        if len(content) == wanted + _MAX_EXTRA:
            raise InputError(f"{path}: is far larger than its header says; export it again")
        return kind.from_bytes(content)
    except InputError:
        raise
    except Exception as error:  # on a damaged file nibabel raises nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise system_fault(path, error) from None
        raise _damaged(path, error) from None


def _end_of_values(header: Any, path: Path) -> int:
    """The position of the last value in the file, in bytes; refuses images that must not be read."""
    shape, kind = header.get_data_shape(), header.get_data_dtype()
    if kind.kind not in "buif" or kind.itemsize > 8:
        raise InputError(f"{path}: holds values of the type {kind}; save it as 8-bit whole numbers")
    if len(shape) < 2 or min(shape) < 1 or shape[0] * shape[1] > MOST_PIXELS:
        raise InputError(
            f"{path}: is {' x '.join(map(str, shape))}, not a possible image size; export it again"
        )
    size = int(np.prod(shape, dtype=object)) * kind.itemsize
    if size > _MAX_BYTES:
        raise InputError(f"{path}: holds more than {_MAX_BYTES:,} bytes of values; save it with 8 bits")
    offset = float(header["vox_offset"])
    if not 0 <= offset <= _MAX_EXTRA:
        raise InputError(f"{path}: has an invalid data offset (byte {offset:g}); export it again")
    return int(offset) + size


def _channel_names(image: Any, path: Path, table: ClassTable | None) -> list[str | None] | None:
    """The class of each channel; None if the file has one slice, with numbers."""
    exported = _exported_names(image)
    slices = [side for side in image.shape[2:] if side > 1]
    if exported is not None and image.shape[2:] == (1, len(exported)):
        return list(exported)
    if not slices:
        return None
    if (
        len(slices) == 1
        and table is not None
        and sorted(table.numbers.keys() - {0}) == list(range(1, slices[0] + 1))
    ):
        return [table.numbers[number] for number in range(1, slices[0] + 1)]
    raise InputError(
        f"{path}: is a volume of {' x '.join(map(str, image.shape))}; export one slice or, if its channels "
        f"are classes, name them in a table, as 1 to {slices[0]}"
    )


def _exported_names(image: Any) -> list[str] | None:
    """The class names that `write_nifti` wrote into the header, None if there are none."""
    for extension in image.header.extensions:
        try:
            written = json.loads(extension.get_content())
        except (ValueError, TypeError, RecursionError):
            continue  # written by another program
        names = written.get("classes") if isinstance(written, dict) else None
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return names
    return None


def _channels(
    image: Any, path: Path, names: list[str | None], map_class: ClassMapper
) -> tuple[LabelledShape, ...]:
    """One shape for each channel of 0 and 1 that has a pixel."""
    faults: list[str] = []
    shapes = []
    singular = (0,) * (image.ndim - 3)
    for index, name in enumerate(names):
        place = f"channel {index + 1} ({name!r})"
        try:
            # Classes may be on the third axis, or on a later one after axes of length 1.
            at = (..., *singular, index) if image.shape[-1] == len(names) else (..., index, *singular)
            values = _to_whole_numbers(_slice(image, path, at), path)
            if values.max() > 1:
                raise InputError(f"{path}: {place} holds {values.max()}, not only 0 and 1; export masks")
            class_name = None if name is None or not values.any() else map_class(name)
        except InputError as error:
            message = str(error)
            faults.append(message if message.startswith(str(path)) else f"{path}: {place} {message}")
            continue
        if class_name is not None:
            shapes.append(LabelledShape(place, class_name, (encode_mask(values != 0),)))
    raise_faults(faults)
    return tuple(shapes)


def _slice(image: Any, path: Path, at: Any) -> NDArray[Any]:
    """One slice (height, width), scaled as the header says."""
    try:
        values = np.asarray(image.dataobj[at])
        return values.reshape(image.shape[:2]).T
    except Exception as error:
        raise _damaged(path, error) from None


def _to_whole_numbers(values: NDArray[Any], path: Path) -> NDArray[np.integer]:
    """Values of any type as whole numbers from 0 to 65535."""
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinite values; save it as whole numbers")
    low, high = values.min(), values.max()
    if low < 0 or high > LARGEST_NUMBER:
        raise InputError(f"{path}: holds {low:g} to {high:g}, not 0 to {LARGEST_NUMBER}; export a label map")
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        raise InputError(f"{path}: holds fractions; export masks, not probabilities")
    return values.astype(np.uint16)


def _damaged(path: Path, error: Exception) -> InputError:
    """The error for a file that nibabel cannot read."""
    kind = "truncated" if isinstance(error, EOFError) else "damaged"
    reason = (
        " ".join(str(error).split())[:100]
        if isinstance(error, OSError | zlib.error)
        else type(error).__name__
    )
    return InputError(f"{path}: cannot be read as NIfTI, {kind} ({reason}); export it again")


def write_nifti(
    path: str | Path,
    masks: NDArray[np.bool_],
    classes: Sequence[str],
    case: str,
    spacing: tuple[float, float] | None = None,
) -> None:
    """Write masks (class, height, width) as .nii.gz with axes (x, y, 1, class), 0 or 1.

    The file is a `stacks.Stack` of one case: `read_stack` reads it with the names of its classes. `spacing`
    is the height and width of a pixel in mm; without it, the header says 1 and no unit.
    """
    stack = Stack(masks[None].astype(np.uint8), "mask", (case,), tuple(classes))
    write_stack(path, stack, spacing=spacing)
