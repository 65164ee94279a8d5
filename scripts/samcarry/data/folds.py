"""Folds of labelled cases for cross-fitting: predictions of cases by networks that did not learn from them.

Standard library only, because the Snakefile imports this module.
"""

from collections.abc import Sequence


def folds_of(patients: Sequence[str], folds: int) -> list[int]:
    """The fold of each case, 1..folds.

    All cases of a patient are in one fold. Patients are dealt out in the order in which they first appear.

    Args:
        patients: the patient of each case.
        folds: number of folds, at least 2.

    Raises:
        ValueError: there are fewer patients than folds, so that a fold would be empty.
    """
    order = {patient: place for place, patient in enumerate(dict.fromkeys(patients))}
    if not 2 <= folds <= len(order):
        raise ValueError(f"{len(order)} patients cannot be dealt out to {folds} folds")
    return [1 + order[patient] % folds for patient in patients]
