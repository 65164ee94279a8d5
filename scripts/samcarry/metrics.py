"""Dice of every case and class, as rows of dice.csv."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.files import atomic


@dataclass(frozen=True)
class DiceRow:
    """One dataset, n, seed, method, case and class.

    `dice` is None where the class is absent from the reference; `predicted_px` then tells what a Dice
    that is undefined hides.
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


COLUMNS = tuple(field.name.rstrip("_") for field in fields(DiceRow))


def dice(reference: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float | None:
    """Dice of two masks of one shape, 0..1; None where the reference is empty."""
    size = int(reference.sum())
    if size == 0:
        return None
    return 2 * int((reference & predicted).sum()) / (size + int(predicted.sum()))


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
) -> list[DiceRow]:
    """Rows for masks (case, class, height, width) of the same cases and classes."""
    return [
        DiceRow(
            dataset, n, seed, method, case, name, int(r.sum()), int(p.sum()), dice(r, p)
        )
        for case, of_reference, of_predicted in zip(cases, reference, predicted, strict=True)
        for name, r, p in zip(classes, of_reference, of_predicted, strict=True)
    ]  # fmt: skip


def write_dice(path: str | Path, rows: Iterable[DiceRow]) -> None:
    """Write rows as CSV, atomically; Dice with six decimals, empty where undefined."""
    with atomic(path) as private, private.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            values = asdict(row)
            values["dice"] = "" if row.dice is None else f"{row.dice:.6f}"
            writer.writerow(values.values())
