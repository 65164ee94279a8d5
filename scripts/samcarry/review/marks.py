"""Marks that a person gives to masks on the review page, read from the file that the page saves."""

from collections.abc import Collection, Sequence
from pathlib import Path

from samcarry.errors import raise_faults, shortlist
from samcarry.storage.sheets import read_sheet

SEND = "send to CVAT"
MARKS = ("fine", "wrong", SEND)
"""What a mask can be marked as; the page offers these in this order, with the keys 1, 2 and 3."""


def read_sent(path: str | Path, ranking: Sequence[str], cases: Collection[str]) -> list[str]:
    """The cases of which at least one class is marked "send to CVAT", in the order of `ranking`.

    Args:
        path: a file that the review page saved: case, class ('' stands for the case) and mark.
        ranking: all unlabelled cases, most doubtful first.
        cases: all cases of the data set. Those that have been labelled since are left out.

    Raises:
        InputError: one line per fault: a mark or a case is unknown, or no case is marked "send to CVAT".
    """
    rows = read_sheet(path, ["case", "class", "mark"])
    faults = []
    strange = dict.fromkeys(repr(row["mark"]) for row in rows if row["mark"] not in MARKS)
    if strange:
        faults.append(f"{path}: unknown mark {shortlist(list(strange))}; use {', '.join(MARKS)}")
    others = dict.fromkeys(row["case"] for row in rows if row["case"] not in cases)
    if others:
        faults.append(
            f"{path}: not a case of this data set: {shortlist(list(others))}; take the rows out, or name the "
            "file that the page of this data set saved"
        )
    sent = {row["case"] for row in rows if row["mark"] == SEND}
    if not sent:
        faults.append(
            f"{path}: no case is marked {SEND!r}; mark some on the review page and save the file again"
        )
    raise_faults(faults)
    return [case for case in ranking if case in sent]
