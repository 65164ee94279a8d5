"""Scores of each case and class, as rows of dice.csv: Dice, distances of contours and centres, areas."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import surface_distance
from numpy.typing import NDArray

from samcarry.evaluation.dice import dice
from samcarry.storage.tables import write_table

PIXELS = (1.0, 1.0)
"""The height and width of a pixel if distances are in pixels."""

Spacing = tuple[float, float]
"""(height, width) of a pixel, in mm or as `PIXELS`."""


@dataclass(frozen=True)
class DiceRow:
    """Scores of one class in one case, for one data set, n, seed and method.

    `dice` and `surface_dice` are 0..1. Distances are in mm if areas in mm² are given, else in pixels. All
    three are None if the class is absent from the reference; `predicted_px` then shows whether the method
    drew it anyway.

    `hd95` is the 95 % Hausdorff distance, and `centre` the distance between the centres of mass, None if
    either mask is empty. `probability` is the largest probability of the class in the case, 0..1; None for
    methods that give masks only.
    """

    dataset: str
    n: int
    seed: int
    method: str
    case: str
    class_: str
    reference_px: int
    predicted_px: int
    dice: float | None
    hd95: float | None
    surface_dice: float | None
    centre: float | None = None
    probability: float | None = None
    reference_mm2: float | None = None
    predicted_mm2: float | None = None


_AREAS = ("reference_mm2", "predicted_mm2")


def columns_for(unit: str) -> tuple[str, ...]:
    """The columns of dice.csv; names of distances end with their unit, 'px' or 'mm'."""
    names = [field.name.rstrip("_") for field in fields(DiceRow)]
    kept = [name for name in names if unit == "mm" or name not in _AREAS]
    return tuple(f"{name}_{unit}" if name in ("hd95", "centre") else name for name in kept)


def surface_scores(
    reference: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    tolerance: float,
    spacing: Spacing = PIXELS,
) -> tuple[float | None, float | None]:
    """95 % Hausdorff distance and surface Dice (0..1) of two masks (height, width).

    The contour runs between pixels. Its elements sit at the corners that inner and outer pixels share, and
    each element is weighted by its length of contour. Everything beyond the image border is background.
    The Hausdorff distance is the larger of the two directed distances. A directed distance is the smallest
    distance within which 95 % of one contour's length lies from the other contour. Surface Dice is the
    share of both contours' length that lies within `tolerance` of the other contour.

    Both scores are None if the reference is empty. If only the prediction is empty, surface Dice is 0 and
    the distance is the image diagonal, the largest possible distance between two contours in the image.
    Leaving such cases out would reward a method for predicting nothing where it is unsure.

    Args:
        reference: the true mask.
        predicted: the mask to be scored.
        tolerance: distance (0 or more) up to which contours count as equal, in the unit of `spacing`.
        spacing: height and width of a pixel, which set the unit of distances.
    """
    if not reference.any():
        return None, None
    if not predicted.any():
        return math.hypot(*np.multiply(reference.shape, spacing)), 0.0
    # The library crops the masks to their joint bounding box.
    distances = surface_distance.compute_surface_distances(reference, predicted, spacing)
    return (
        float(surface_distance.compute_robust_hausdorff(distances, 95)),
        float(surface_distance.compute_surface_dice_at_tolerance(distances, tolerance)),
    )


def centre_distance(
    reference: NDArray[np.bool_], predicted: NDArray[np.bool_], spacing: Spacing = PIXELS
) -> float | None:
    """Distance between the centres of mass of two masks (height, width); None if one of them is empty."""
    if not reference.any() or not predicted.any():
        return None
    centres = [np.argwhere(mask).mean(axis=0) for mask in (reference, predicted)]
    return math.hypot(*(np.subtract(*centres) * spacing))


def dice_rows(
    reference: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    cases: Sequence[str],
    classes: Sequence[str],
    *,
    dataset: str,
    n: int,
    seed: int,
    method: str,
    tolerance: float,
    probability: NDArray[np.float64] | None = None,
    spacing: Spacing | None = None,
) -> list[DiceRow]:
    """One row for each case and class.

    Args:
        reference: true masks (case, class, height, width).
        predicted: predicted masks of the same shape.
        cases: names of the cases.
        classes: names of the classes.
        dataset: name of the data set.
        n: number of labelled training cases.
        seed: seed of the training.
        method: id of the method.
        tolerance: tolerance of surface Dice, in the unit of distances.
        probability: the largest probability of each class in each case, 0..1 (case, class); None for methods
            that give masks only.
        spacing: height and width of a pixel in mm; None if distances are in pixels.
    """
    rows = []
    unit = spacing or PIXELS
    known = [[None] * len(classes)] * len(cases) if probability is None else probability.tolist()
    for case, true_masks, predicted_masks, of_case in zip(cases, reference, predicted, known, strict=True):
        for class_, true, drawn, largest in zip(classes, true_masks, predicted_masks, of_case, strict=True):
            hd95, surface_dice = surface_scores(true, drawn, tolerance, unit)
            pixels = (int(true.sum()), int(drawn.sum()))
            areas = [count * spacing[0] * spacing[1] if spacing else None for count in pixels]
            rows.append(
                DiceRow(
                    dataset=dataset,
                    n=n,
                    seed=seed,
                    method=method,
                    case=case,
                    class_=class_,
                    reference_px=pixels[0],
                    predicted_px=pixels[1],
                    dice=dice(true, drawn),
                    hd95=hd95,
                    surface_dice=surface_dice,
                    centre=centre_distance(true, drawn, unit),
                    probability=largest,
                    reference_mm2=areas[0],
                    predicted_mm2=areas[1],
                )
            )
    return rows


def write_dice(path: str | Path, rows: Iterable[DiceRow], unit: str = "px") -> None:
    """Write rows as CSV, atomically; scores have six decimals, or are empty where undefined.

    Args:
        path: the file.
        rows: the rows.
        unit: 'px' or 'mm', the unit of their distances.
    """
    write_table(path, columns_for(unit), (_texts(row, unit) for row in rows))


def _texts(row: DiceRow, unit: str) -> list[object]:
    entries = {name: value for name, value in asdict(row).items() if unit == "mm" or name not in _AREAS}
    return [_text(value) for value in entries.values()]


def _text(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else value
