"""Which labelled cases a network learns from: folds for cross-fitting, and repeated draws of X^n.

Standard library only, because the Snakefile imports this module.
"""

import random
from collections.abc import Sequence


def folds_of(patients: Sequence[str], folds: int) -> list[int]:
    """As `deal`, with a case in each fold.

    Raises:
        ValueError: there are fewer patients than folds, or fewer than 2 folds.
    """
    count = len(set(patients))
    if not 2 <= folds <= count:
        raise ValueError(f"{count} patients cannot be dealt out to {folds} folds")
    return deal(patients, folds)


def deal(patients: Sequence[str], folds: int) -> list[int]:
    """The fold of each case, 1..folds; a fold may be empty.

    All cases of a patient are in one fold. Patients are dealt out in the order in which they first appear.

    Args:
        patients: the patient of each case.
        folds: number of folds.
    """
    order = {patient: place for place, patient in enumerate(dict.fromkeys(patients))}
    return [1 + order[patient] % folds for patient in patients]


def draw_of(cases: Sequence[str], draw: int) -> list[str]:
    """The labelled training cases in the order of a draw: the first n are its X^n, so that these are nested.

    Args:
        cases: the cases in the given order.
        draw: 1 = the given order; any other number is the seed of a random order.
    """
    order = list(cases)
    if draw > 1:
        random.Random(draw).shuffle(order)  # noqa: S311 (no secret)
    return order
