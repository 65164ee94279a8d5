"""Images at their own size: height, width, size of a pixel, and predictions put back beside the label files.

Predictions and label files are compared in the orientation of the data set. An import may have mirrored
images and labels together; undoing that in both would change no score.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.data.contract import parse_spacing
from samcarry.data.label_masks import files_by_case, read_label_masks
from samcarry.errors import DamagedError, InputError, raise_faults, shortlist
from samcarry.images.dicom import dicom_spacing, is_dicom
from samcarry.images.grey import image_size
from samcarry.images.masks import mask_at_size
from samcarry.storage.stacks import read_stack
from samcarry.storage.tables import read_table, write_table

PIXELS = "pixels"
"""`evaluation.spacing` for distances in pixels, whatever is known."""

_COLUMNS = ("case", "height", "width", "row_mm", "column_mm")

Spacing = tuple[float, float]
"""(height, width) of a pixel in mm."""


@dataclass(frozen=True)
class NativeSize:
    """The size of a case's own image in pixels, and that of its pixels if it is known."""

    height: int
    width: int
    spacing: Spacing | None


@dataclass(frozen=True)
class NativeMasks:
    """The masks of one case at the size of its own image.

    Attributes:
        case: its name.
        classes: names of the classes.
        reference: the label files, bool (class, height, width).
        predicted: the predicted masks, of the same shape.
        probability: the largest probability of each class at network size, 0..1; None for masks.
        spacing: (height, width) of a pixel in mm; None if distances are in pixels.
    """

    case: str
    classes: tuple[str, ...]
    reference: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    probability: NDArray[np.float64] | None
    spacing: Spacing | None


def native_sizes(
    images: Mapping[str, Path],
    sources: Mapping[str, Path],
    given: Mapping[str, str],
    default: float | Sequence[float] | str | None,
) -> dict[str, NativeSize]:
    """The sizes of all cases. The spacing is known for all of them; or for none, and pixels are the unit.

    It is taken from cases.csv, else from the DICOM header of the user's own file, else from the config.

    Args:
        images: {case: image of the data set}.
        sources: {case: the user's own image}, for an import; it may be the same file.
        given: {case: text of the column `spacing` of cases.csv}.
        default: `evaluation.spacing`: mm per pixel, height and width of a pixel in mm, `PIXELS`, or None.

    Raises:
        InputError: an image cannot be read, a spacing is not a number, or it is known for some cases only.
    """
    sizes: dict[str, NativeSize] = {}
    faults: list[str] = []
    for case, image in images.items():
        try:
            height, width = image_size(image)
            spacing = None
            if default != PIXELS:
                spacing = _spacing(case, given, sources.get(case, image), default)
            sizes[case] = NativeSize(height, width, spacing)
        except InputError as error:
            faults.append(str(error))
    raise_faults(faults)
    unknown = sorted(case for case, size in sizes.items() if size.spacing is None)
    if 0 < len(unknown) < len(sizes):
        raise InputError(
            f"evaluation: the size of a pixel in mm is known for {len(sizes) - len(unknown)} of the "
            f"{len(sizes)} evaluated cases, but not for {shortlist(unknown)}; write it in the column "
            f"`spacing` of cases.csv or as evaluation.spacing, or set evaluation.spacing to {PIXELS}"
        )
    return sizes


def _spacing(
    case: str, given: Mapping[str, str], source: Path, default: float | Sequence[float] | str | None
) -> Spacing | None:
    if given.get(case):
        return parse_spacing(given[case])
    found = dicom_spacing(source) if is_dicom(source) else None
    if found is not None or default is None or isinstance(default, str):
        return found
    values = [default] if isinstance(default, int | float) else list(default)
    return float(values[0]), float(values[-1])


def write_sizes(path: str | Path, sizes: Mapping[str, NativeSize]) -> None:
    """Write the sizes as CSV, atomically; an unknown spacing is empty."""
    rows = [[case, size.height, size.width, *(size.spacing or ("", ""))] for case, size in sizes.items()]
    write_table(path, _COLUMNS, rows)


def read_sizes(path: str | Path) -> dict[str, NativeSize]:
    """The sizes that `write_sizes` wrote.

    Raises:
        DamagedError: the file is missing or is not such a table.
    """
    sizes = {}
    for row in read_table(path, _COLUMNS):
        try:
            mm = [float(row[name]) for name in ("row_mm", "column_mm") if row[name]]
            spacing = (mm[0], mm[1]) if mm else None
            sizes[row["case"]] = NativeSize(int(row["height"]), int(row["width"]), spacing)
        except (ValueError, IndexError) as error:
            raise DamagedError(path, f"this table is damaged ({error})") from error
    return sizes


def shapes_of(path: str | Path | None) -> dict[str, tuple[int, int]]:
    """{case: (height, width) in pixels of its image} of a file that `write_sizes` wrote; {} without one."""
    sizes = read_sizes(path) if path else {}
    return {case: (size.height, size.width) for case, size in sizes.items()}


def native_masks(
    predictions: Iterable[str | Path],
    labels: Iterable[str | Path],
    digests: Mapping[str, str],
    sizes: Mapping[str, NativeSize],
) -> Iterator[NativeMasks]:
    """The masks of one labelled case after the other, so that memory holds one at a time.

    Predictions are resized as in exports, see `masks.mask_at_size`; label files stay unchanged.

    Args:
        predictions: stacks of masks or probabilities at network size.
        labels: all label files of the cases.
        digests: {case: digest of its label files} of the cases to yield.
        sizes: sizes of these cases.

    Raises:
        InputError: label files have changed since the input checks, or cannot be read.
        DamagedError: a stack is missing or damaged.
    """
    files = files_by_case(labels)
    for path in predictions:
        stack = read_stack(path)
        is_probability = stack.kind == "probability"
        values = stack.values if is_probability else stack.values * np.uint8(255)
        for case, small in zip(stack.cases, values, strict=True):
            if case not in digests:
                continue
            size = sizes[case]
            shape: Any = (size.height, size.width)
            own = files.get(case, {}).values()
            reference = read_label_masks(own, [case], [digests[case]], stack.classes, *shape)[0] > 0
            predicted = np.stack([mask_at_size(of_class, *shape) for of_class in small])
            largest = small.max(axis=(1, 2)) / 255 if is_probability else None
            yield NativeMasks(case, stack.classes, reference, predicted, largest, size.spacing)
