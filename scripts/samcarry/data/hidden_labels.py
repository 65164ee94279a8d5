"""Labelled training cases that count as unlabelled, and whether there are enough cases of both kinds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from samcarry.data.cases import Case
from samcarry.errors import InputError, raise_faults, shortlist


def hide_labels(
    cases: Sequence[Case], order: Sequence[str], most: int | None, classes_of_case: Mapping[str, set[str]]
) -> tuple[list[Case], list[str]]:
    """The cases and the training order if only the first `most` training cases count as labelled.

    The others become unlabelled; their labels stay hidden, and only `unet_full` and evaluations read them.

    Args:
        cases: all cases.
        order: the training cases in order, as `order_training_cases` returns them.
        most: how many training cases keep their labels; None = all.
        classes_of_case: the classes that occur in each case.

    Raises:
        InputError: a class occurs in no case that keeps its labels.
    """
    if most is None or most >= len(order):
        return list(cases), list(order)
    kept = set(order[:most])
    everywhere = {name for case in cases for name in classes_of_case.get(case.case, ())}
    lost = sorted(everywhere - {name for case in kept for name in classes_of_case.get(case, ())})
    if lost:
        raise InputError(
            f"splits.hide_labels_beyond is {most}, but none of the first {most} training cases shows "
            f"{shortlist(lost)}: raise it, or give these cases a low `order` in cases.csv"
        )
    moved = set(order) - kept
    return [
        replace(case, split="unlabelled", order=None) if case.case in moved else case for case in cases
    ], list(order[:most])


def check_numbers(
    folder: str | Path, cases: Sequence[Case], n: int, largest_n: int, waiting: Sequence[str]
) -> None:
    """Stop if there are too few labelled training cases, or no unlabelled case that methods learn from.

    Args:
        folder: the data set's folder.
        cases: the cases.
        n: number of labelled cases of the main line.
        largest_n: the largest one, those of the ablation included.
        waiting: the configured methods that learn from unlabelled cases.

    Raises:
        InputError: with the numbers worked out, one line for each fault.
    """
    training = sum(case.split == "train" for case in cases)
    faults = []
    if training < largest_n:
        faults.append(
            f"{folder}: the training split has {training} labelled cases, but the config asks for "
            f"n = {largest_n}: lower n and ablation.n, or label more"
        )
    if waiting and not any(case.split == "unlabelled" for case in cases):
        if training > largest_n:
            cure = (
                f"set `splits: {{hide_labels_beyond: {largest_n}}}`, so that {largest_n} of the {training} "
                f"labelled training cases are used with their labels and the other {training - largest_n} as "
                "unlabelled ones, or add images without labels"
            )
        else:
            of_ablation = "" if n == largest_n else f" and ablation.n up to {largest_n}"
            cure = (
                f"add images without labels, or lower n (all {training} labelled training cases are needed "
                f"for n = {n}{of_ablation}) and set `splits: {{hide_labels_beyond: ...}}` to the new n"
            )
        faults.append(
            f"{folder}: every case has labels, but {shortlist(waiting)} learn from unlabelled cases: {cure}; "
            "or remove these methods"
        )
    raise_faults(faults)
