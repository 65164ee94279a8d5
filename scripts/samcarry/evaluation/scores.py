"""Dice, 95 % Hausdorff distance and surface Dice for each case and class, as rows of dice.csv."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import surface_distance
from numpy.typing import NDArray

from samcarry.evaluation.dice import dice
from samcarry.storage.tables import write_table

PIXELS = (1.0, 1.0)  # prepared images have no physical size, so distances are in pixels at network size


@dataclass(frozen=True)
class DiceRow:
    """Scores of one class in one case, for one data set, n, seed and method.

    `dice` and `surface_dice` are 0..1, `hd95_px` is in pixels at network size. All three are None if the
    class is absent from the reference; `predicted_px` then shows whether the method drew it anyway.
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
    hd95_px: float | None
    surface_dice: float | None


COLUMNS = tuple(field.name.rstrip("_") for field in fields(DiceRow))
SCORES = ("dice", "hd95_px", "surface_dice")


def surface_scores(
    reference: NDArray[np.bool_], predicted: NDArray[np.bool_], tolerance: float
) -> tuple[float | None, float | None]:
    """95 % Hausdorff distance in pixels and surface Dice (0..1) of two masks (height, width).

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
        tolerance: distance in pixels (0 or more) up to which contours count as equal.
    """
    if not reference.any():
        return None, None
    if not predicted.any():
        return math.hypot(*reference.shape), 0.0
    # The library crops the masks to their joint bounding box.
    distances = surface_distance.compute_surface_distances(reference, predicted, PIXELS)
    return (
        float(surface_distance.compute_robust_hausdorff(distances, 95)),
        float(surface_distance.compute_surface_dice_at_tolerance(distances, tolerance)),
    )


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
        tolerance: tolerance of surface Dice in pixels.
    """
    rows = []
    for case, true_masks, predicted_masks in zip(cases, reference, predicted, strict=True):
        for class_, true, drawn in zip(classes, true_masks, predicted_masks, strict=True):
            hd95, surface_dice = surface_scores(true, drawn, tolerance)
            rows.append(
                DiceRow(
                    dataset=dataset,
                    n=n,
                    seed=seed,
                    method=method,
                    case=case,
                    class_=class_,
                    reference_px=int(true.sum()),
                    predicted_px=int(drawn.sum()),
                    dice=dice(true, drawn),
                    hd95_px=hd95,
                    surface_dice=surface_dice,
                )
            )
    return rows


def write_dice(path: str | Path, rows: Iterable[DiceRow]) -> None:
    """Write rows as CSV, atomically; scores have six decimals, or are empty where undefined."""
    write_table(path, COLUMNS, map(_texts, rows))


def _texts(row: DiceRow) -> list[object]:
    scores = {score: getattr(row, score) for score in SCORES}
    texts = {score: "" if value is None else f"{value:.6f}" for score, value in scores.items()}
    return list((asdict(row) | texts).values())
