"""Weights of pseudo labels in the loss, from SAM's IoU estimate and the agreement of P and R.

Beyond the paper, in which all pseudo labels have the same weight.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.evaluation.dice import dice
from samcarry.storage.tables import read_table, write_table

_COLUMNS = ("case", "class", "weight")


def pseudo_weight(
    initial: NDArray[np.bool_], refined: NDArray[np.bool_], estimated_iou: float | None
) -> float:
    """The weight 0..1 of one class of one case in the loss of f_φ.

    It is the Dice of R that SAM expects times the Dice of P and R, and 1 if the class is absent in both.

    Args:
        initial: P thresholded, (height, width).
        refined: R, (height, width).
        estimated_iou: SAM's IoU estimate, about 0..1; None if SAM had no prompt for the class.
    """
    if not initial.any() and not refined.any():
        return 1.0
    agreement = dice(initial, refined) or 0.0
    iou = min(max(estimated_iou or 0.0, 0.0), 1.0)
    return agreement * 2 * iou / (1 + iou)


def write_weights(path: str | Path, rows: Iterable[tuple[str, str, float]]) -> None:
    """Write (case, class, weight) as CSV, atomically."""
    write_table(path, _COLUMNS, ((case, name, f"{weight:.4f}") for case, name, weight in rows))


def read_weights(
    paths: Iterable[str | Path], cases: Sequence[str], classes: Sequence[str], *, labelled: int
) -> NDArray[np.float32]:
    """Weights (case, class) from several files.

    Args:
        paths: the files.
        cases: the cases in the order of the result.
        classes: the classes.
        labelled: the number of labelled cases at the end, which have the weight 1 and are in no file.

    Raises:
        InputError: none of the files has a weight for another case and class.
    """
    unlabelled = cases[: len(cases) - labelled]
    found: Mapping[tuple[str, str], float] = {
        (row["case"], row["class"]): float(row["weight"])
        for path in paths
        for row in read_table(path, _COLUMNS)
    }
    try:
        rows = [[found[case, name] for name in classes] for case in unlabelled]
    except KeyError as error:
        raise InputError(
            f"there is no weight for {error.args[0]}: delete the folder 'weights' of this seed and run "
            f"the same command again"
        ) from error
    return np.array([*rows, *[[1.0] * len(classes)] * labelled], dtype=np.float32)
