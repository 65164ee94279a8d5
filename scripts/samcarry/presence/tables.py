"""Judgements of the presence step as CSV files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.presence.judgement import Judged
from samcarry.storage.reading import reading_made
from samcarry.storage.tables import read_table, write_table

COLUMNS = ("case", "class", "probability", "absent", "unsure")


def write_judged(path: str | Path, judged: Mapping[str, Judged], classes: Sequence[str]) -> None:
    """Write one row for each case and class, atomically; `absent` and `unsure` are 1 or 0."""
    rows = [
        (case, name, f"{probability:.6f}", int(absent), int(unsure))
        for case, one in judged.items()
        for name, probability, absent, unsure in zip(
            classes, one.probability, one.absent, one.unsure, strict=True
        )
    ]
    write_table(path, COLUMNS, rows)


def read_judged(path: str | Path, classes: Sequence[str]) -> dict[str, Judged]:
    """The judgements of `write_judged` as {case: judgement}, with the classes in this order.

    Raises:
        DamagedError: the file is missing or damaged, or lacks a class.
    """
    found: dict[str, dict[str, tuple[float, bool, bool]]] = {}
    rows = read_table(path, COLUMNS)
    with reading_made(path, "this table is damaged", (KeyError, ValueError)):
        for row in rows:
            values = (float(row["probability"]), row["absent"] == "1", row["unsure"] == "1")
            found.setdefault(row["case"], {})[row["class"]] = values
        return {
            case: Judged(*map(np.array, zip(*(of_case[name] for name in classes), strict=True)))
            for case, of_case in found.items()
        }


def read_probabilities(paths: Iterable[str | Path]) -> dict[tuple[str, str], float]:
    """The probability 0..1 that a class is there, as {(case, class): probability}, of several files.

    Raises:
        DamagedError: a file is missing or damaged.
    """
    found: dict[tuple[str, str], float] = {}
    for path in paths:
        rows = read_table(path, COLUMNS)
        with reading_made(path, "this table is damaged", (ValueError,)):
            found |= {(row["case"], row["class"]): float(row["probability"]) for row in rows}
    return found


def probabilities_of(
    judged: Mapping[tuple[str, str], float],
    cases: Sequence[str],
    classes: Sequence[str],
    largest: NDArray[np.float64] | None,
) -> NDArray[np.float64] | None:
    """The probabilities (case, class) of `read_probabilities`; `largest` if there are none."""
    if not judged:
        return largest
    return np.array([[judged[case, name] for name in classes] for case in cases])


def without_absent(values: NDArray[np.uint8], absent: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Masks or probabilities (C, height, width) in which the absent classes (C,) are empty."""
    return np.where(absent[:, None, None], np.uint8(0), values)
