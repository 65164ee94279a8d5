"""The rows of cases.csv of an import: patient, split and order, by files, by counts or by a sheet."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

from samcarry.data.contract import COLUMNS, read_rows
from samcarry.errors import InputError
from samcarry.storage.sheets import read_sheet
from samcarry.storage.tables import write_table

COUNTED = ("train", "unlabelled", "val", "test")
"""Splits in the order in which counts take cases."""

Row = dict[str, str]


def split_by_counts(names: Collection[str], counts: Mapping[str, int]) -> dict[str, Row]:
    """Split and order of cases that are split in the order of the numbers in their names.

    The first names are for training, and enter X^n in this order; unlabelled, val and test ones follow.

    Args:
        names: of all annotated cases, also of those whose image is not there: else it would move others.
        counts: how many each of COUNTED gets; one that is left out gets none.

    Raises:
        InputError: if the counts do not add up to the number of names.
    """
    if sum(counts.values()) != len(names):
        raise InputError(
            f"counts: add up to {sum(counts.values())}, but {len(names)} images are annotated; complete the "
            "annotations, or change the counts"
        )
    rows: dict[str, Row] = {}
    waiting = iter(sorted(names, key=_natural))
    for split in COUNTED:
        for rank in range(counts.get(split, 0)):
            rows[next(waiting)] = {"split": split, "order": str(rank + 1) if split == "train" else ""}
    return rows


def read_case_sheet(
    path: Path, files: Mapping[str, Path], faults: list[str]
) -> tuple[dict[str, Row], list[str]]:
    """{case: row} of a sheet in the form of cases.csv, and the cases whose image is not there.

    Raises:
        InputError: if it cannot be read, see `sheets.read_sheet`.
    """
    named = {normalize("NFC", row["case"]) for row in read_sheet(path, required=["case"])}
    rows, _ = read_rows(path, dict.fromkeys(named, path), faults)
    return rows, sorted(named - set(files))


def case_rows(
    files: Mapping[str, Path],
    labelled: Collection[str],
    split_of: Mapping[str, str],
    known: Mapping[str, Row],
    place: str,
    faults: list[str],
) -> list[Row]:
    """The rows of all cases; what the counts or the sheet know of a case comes before what its file says.

    Args:
        files: {case: image}.
        labelled: the cases that have labels.
        split_of: the split of annotated cases by their files, '' if these do not tell.
        known: {case: columns} of the counts or the sheet.
        place: where `known` stands.
        faults: gets a line for a labelled case without a split among cases that have one, and for a case
            without labels in train, val or test.
    """
    rows = []
    for case in sorted(files):
        row = {"case": case, **{column: known.get(case, {}).get(column, "") for column in COLUMNS[1:]}}
        row["split"] = row["split"] or (split_of.get(case, "") if case in labelled else "")
        rows.append(row)
    if not any(row["split"] for row in rows):
        return rows
    for row in rows:
        case = row["case"]
        if case not in labelled and row["split"] in ("train", "val", "test"):
            faults.append(
                f"{place}: case {case!r} is in {row['split']} but is not annotated; move it to unlabelled"
            )
        elif case in labelled and not row["split"]:
            faults.append(
                f"{place}: gives no split for the annotated case {case!r}; write train, val, test or "
                "unlabelled"
            )
        row["split"] = row["split"] or "unlabelled"
    return rows


def write_case_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write cases.csv, without the columns that are empty throughout."""
    columns = [column for column in COLUMNS if column == "case" or any(row[column] for row in rows)]
    write_table(path, columns, ([row[column] for column in columns] for row in rows))


def _natural(name: str) -> list[int | str]:
    """A key that puts 9 before 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
