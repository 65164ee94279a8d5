"""Rows of cases.csv for imported data: patient, split and order from files, counts or a sheet."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from samcarry.data.contract import COLUMNS, IMPORTED_FROM, LABELLED_SPLITS, NOTES, read_rows
from samcarry.errors import InputError
from samcarry.storage.sheets import read_sheet
from samcarry.storage.tables import write_table

COUNT_ORDER = ("train", "unlabelled", "val", "test")
"""Order in which `split_by_counts` fills the splits: it differs from `SPLITS`, which only names them."""

Row = dict[str, str]


def split_by_counts(names: Collection[str], counts: Mapping[str, int]) -> dict[str, Row]:
    """Split and order of cases, assigned by the numbers in their names.

    The first cases are for training and join X^n in this order; unlabelled, val and test cases follow.

    Args:
        names: all annotated cases. Cases without an image count too, so that a missing image does not
            change the splits of others; their names may have folders, which do not count.
        counts: the number of cases of each split in `COUNT_ORDER`; a split that is left out has none.

    Raises:
        InputError: the counts do not add up to the number of names.
    """
    if sum(counts.values()) != len(names):
        raise InputError(
            f"counts: the counts add up to {sum(counts.values())}, but {len(names)} images are annotated; "
            "complete the annotations or change the counts"
        )
    rows: dict[str, Row] = {}
    remaining = iter(sorted(names, key=lambda name: (_natural_order(name.rpartition("/")[2]), name)))
    for split in COUNT_ORDER:
        for rank in range(counts.get(split, 0)):
            rows[next(remaining)] = {"split": split, "order": str(rank + 1) if split == "train" else ""}
    return rows


def read_case_sheet(
    path: Path, files: Mapping[str, Path], faults: list[str]
) -> tuple[dict[str, Row], list[str]]:
    """The rows of a sheet with the columns of cases.csv as {case: row}, and the cases without an image.

    Args:
        path: the sheet.
        files: {case: image}.
        faults: one line is added for each fault of a column or row.

    Raises:
        InputError: the sheet cannot be read, see `sheets.read_sheet`.
    """
    named = {row["case"] for row in read_sheet(path, required=["case"])}
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
    """The rows of all cases; entries from counts or a sheet take precedence over those from files.

    Args:
        files: {case: image}.
        labelled: the cases that have labels.
        split_of: the split of each annotated case according to its file, '' if the file does not say.
        known: {case: columns} from the counts or the sheet.
        place: the source of `known`, for messages.
        faults: one line is added for each labelled case without a split if other cases have one, and for
            each case without labels in train, val or test.
    """
    rows = []
    for case in sorted(files):
        of_case = known.get(case, {})
        row = {"case": case, **{column: of_case.get(column, "") for column in COLUMNS[1:]}}
        row |= {column: of_case[column] for column in NOTES if of_case.get(column)}
        row["split"] = row["split"] or (split_of.get(case, "") if case in labelled else "")
        rows.append(row)
    if not any(row["split"] for row in rows):
        return rows
    for row in rows:
        case = row["case"]
        if case not in labelled and row["split"] in LABELLED_SPLITS:
            faults.append(
                f"{place}: case {case!r} is in {row['split']} but is not annotated; move it to unlabelled"
            )
        elif case in labelled and not row["split"]:
            faults.append(
                f"{place}: has no split for the annotated case {case!r}; write train, val, test or unlabelled"
            )
        row["split"] = row["split"] or "unlabelled"
    return rows


def write_case_rows(
    path: Path, rows: Sequence[Row], imported_from: Mapping[str, str], further: Sequence[str] = ()
) -> None:
    """Write cases.csv atomically, without columns that are empty in every row.

    Args:
        path: the file.
        rows: the rows with all of `COLUMNS`, and perhaps `NOTES`.
        imported_from: {case: path of the user's own image}. It is written for images in subfolders, so that
            corrections can be told from those of images of the same name in other folders.
        further: further columns of the rows.
    """
    places = {case: name if "/" in name else "" for case, name in imported_from.items()}
    full = [{**row, IMPORTED_FROM: places[row["case"]]} for row in rows]
    every = (*COLUMNS, *NOTES, *further, IMPORTED_FROM)
    columns = [c for c in every if c == "case" or any(row.get(c) for row in full)]
    write_table(path, columns, ([row.get(column, "") for column in columns] for row in full))


def _natural_order(name: str) -> list[int | str]:
    """Sort key that puts '9' before '10'."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
