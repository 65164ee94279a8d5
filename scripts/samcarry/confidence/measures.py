"""What calibration and promises need to know of labelled cases that a network did not learn from."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.confidence.calibration import Counts, Levels, count_near_object, window_of
from samcarry.confidence.conformal import smallest_shifts
from samcarry.confidence.contours import contour_levels, count_levels, levels_at_network_size
from samcarry.data.label_masks import files_by_case, read_label_masks
from samcarry.evaluation.dice import dice
from samcarry.images.grey import image_size
from samcarry.images.masks import mask_at_size, resize_mask
from samcarry.storage.probabilities import THRESHOLD, foreground

TOLERANCE = 0.05
"""Share of an object's pixels that may be outside its outer mask, and that an inner mask may have beside it.

Without it, one pixel of a reference that nobody can draw that exactly decides on the whole contour.
"""


@dataclass(frozen=True)
class Measured:
    """One class of one case, with the probabilities of a network.

    Attributes:
        case: its name.
        patient: its patient.
        name: the class.
        present: whether the reference has the class.
        largest: the largest stored probability of the image, 0..255.
        counts: pixels near the object by stored value and truth, (256, 2).
        drawn: pixels near the predicted object by stored value, (256,).
        outer: the outer shift of `conformal.smallest_shifts`; NaN unless the class is present and drawn.
        inner: as `outer`, the inner shift.
        dice: Dice of the mask, 0..1; NaN if the class is absent.
        area: the area of the true mask as a share of the image.
        levels: pixels at network size by level (see `contours.count_levels`), as shares of the image; empty
            unless the class is present and drawn.
    """

    case: str
    patient: str
    name: str
    present: bool
    largest: int
    counts: Counts
    drawn: NDArray[np.int64]
    outer: float
    inner: float
    dice: float
    area: float
    levels: NDArray[np.float64]

    @property
    def is_drawn(self) -> bool:
        """Whether the mask has any pixel."""
        return self.largest > THRESHOLD


def measure(
    case: str, patient: str, name: str, values: NDArray[np.uint8], reference: NDArray[np.bool_]
) -> Measured:
    """Measure one class of one case.

    Args:
        case: its name.
        patient: its patient.
        name: the class.
        values: probabilities times 255 at network size, (height, width).
        reference: the true mask at the size of the image.
    """
    small = resize_mask(reference, *values.shape)
    present, drawn = bool(reference.any()), bool(foreground(values).any())
    size: Any = reference.shape
    score = dice(reference, mask_at_size(values, *size))
    outer = inner = np.nan
    by_level = np.zeros(0)
    if present and drawn:
        outer, inner = smallest_shifts(contour_levels(values, *size), reference, TOLERANCE)
        by_level = count_levels(levels_at_network_size(values)) / values.size
    return Measured(
        case,
        patient,
        name,
        present,
        int(values.max()),
        count_near_object(values, small),
        count_drawn(values),
        outer,
        inner,
        np.nan if score is None else score,
        float(reference.mean()),
        by_level,
    )


def count_drawn(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels near the predicted object by stored value, (256,)."""
    return np.bincount(values[window_of(foreground(values))].ravel(), minlength=256)


def expected_dice(drawn: NDArray[np.int64], levels: Levels) -> float:
    """The Dice that calibrated probabilities expect of a mask: 2 Σ_M p / (|M| + Σ p); 0 without a mask.

    M is the predicted mask, and Σ p is over the pixels near it.

    Args:
        drawn: as `Measured.drawn`.
        levels: the probability of each stored value, (256,).
    """
    mask = foreground(np.arange(256, dtype=np.uint8))
    pixels = drawn[mask].sum()
    return float(2 * (drawn * levels)[mask].sum() / (pixels + drawn @ levels)) if pixels else 0.0


def measure_cases(
    probabilities: Iterable[tuple[str | Path, Collection[str]]],
    labels: Iterable[str | Path],
    digests: Mapping[str, str],
    patients: Mapping[str, str],
    images: Mapping[str, str | Path],
) -> Iterator[Measured]:
    """Measure each class of labelled cases, at the size of their images.

    Args:
        probabilities: stacks of a network's probabilities, each with the cases that count in it.
        labels: all label files of the cases.
        digests: {case: digest of its label files}.
        patients: {case: patient}.
        images: {case: its image}.

    Raises:
        InputError: label files or images have changed since the input checks, or cannot be read.
        DamagedError: a stack is missing or damaged.
    """
    from samcarry.storage.stacks import read_stack  # here, because a prediction reads no stack

    files = files_by_case(labels)
    for path, counting in probabilities:
        stack = read_stack(path)
        for case, values in zip(stack.cases, stack.values, strict=True):
            if case not in counting:
                continue
            size: Any = image_size(images[case])
            own = files.get(case, {}).values()
            reference = read_label_masks(own, [case], [digests[case]], stack.classes, *size)[0] > 0
            for name, of_class, truth in zip(stack.classes, values, reference, strict=True):
                yield measure(case, patients[case], name, of_class, truth)


def of_class(measured: Sequence[Measured], name: str) -> list[Measured]:
    """Those of one class."""
    return [one for one in measured if one.name == name]
