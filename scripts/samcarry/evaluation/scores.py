"""Dice, 95 % Hausdorff distance and surface Dice of every case and class, as rows of dice.csv."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import surface_distance
from numpy.typing import NDArray

from samcarry.evaluation.dice import dice
from samcarry.storage.tables import write_table

PIXELS = (1.0, 1.0)  # prepared images have no physical size: distances are in pixels at network size


@dataclass(frozen=True)
class DiceRow:
    """One dataset, n, seed, method, case and class.

    `dice`, `hd95_px` and `surface_dice` are None where the class is absent from the reference;
    `predicted_px` then tells what scores that are undefined hide.
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
    """95 % Hausdorff distance in pixels, and surface Dice (0..1), of two masks (height, width).

    The surface runs between the pixels: its elements sit at the corners that inner and outer pixels share,
    and each counts with its length of contour. Beyond the image's border there is background.
    The Hausdorff distance is the greater of the two directed ones, each the smallest distance within which
    95 % of a contour's length lies from the other contour. Surface Dice is the share of both contours'
    length that lies within `tolerance` of the other.

    Both are None where the reference is empty. Where only the prediction is empty, surface Dice is 0 and
    the distance that of the image's diagonal, the greatest that two contours in the image can have:
    were it left out, a method would gain by answering nothing where it is unsure.

    Args:
        reference: the true mask.
        predicted: the mask that is judged.
        tolerance: distance in pixels, 0 or more, that counts as no distance.
    """
    if not reference.any():
        return None, None
    if not predicted.any():
        return math.hypot(*reference.shape), 0.0
    # The library crops to the joint bounding box by itself.
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
    """Rows for masks (case, class, height, width) of the same cases and classes.

    `tolerance` is that of surface Dice, in pixels.
    """
    return [
        DiceRow(
            dataset, n, seed, method, case, name, int(r.sum()), int(p.sum()),
            dice(r, p), *surface_scores(r, p, tolerance),
        )
        for case, of_reference, of_predicted in zip(cases, reference, predicted, strict=True)
        for name, r, p in zip(classes, of_reference, of_predicted, strict=True)
    ]  # fmt: skip


def write_dice(path: str | Path, rows: Iterable[DiceRow]) -> None:
    """Write rows as CSV, atomically; scores with six decimals, empty where undefined."""
    write_table(path, COLUMNS, map(_texts, rows))


def _texts(row: DiceRow) -> list[object]:
    scores = {score: getattr(row, score) for score in SCORES}
    texts = {score: "" if value is None else f"{value:.6f}" for score, value in scores.items()}
    return list((asdict(row) | texts).values())
