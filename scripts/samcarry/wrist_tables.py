"""Tables of GRAZPEDWRI-DX and of the paper: what is known of an image, and lists of images."""

from dataclasses import dataclass
from pathlib import Path

from samcarry.errors import InputError
from samcarry.faults import raise_faults
from samcarry.sheets import read_sheet

_PROJECTIONS = _FRONTAL, _LATERAL, _OBLIQUE = ("1", "2", "3")  # as dataset.csv writes them


@dataclass(frozen=True)
class Record:
    """What dataset.csv knows of an image."""

    patient: str
    is_right: bool
    is_frontal: bool


def read_table(path: Path) -> dict[str, Record]:
    """dataset.csv as {filestem: record}.

    Raises:
        InputError: a line for each fault: a laterality, projection or filestem that cannot be.
    """
    records: dict[str, Record] = {}
    faults = []
    for row in read_sheet(path, ["filestem", "patient_id", "laterality", "projection"]):
        stem = row["filestem"]
        if row["laterality"] not in ("L", "R"):
            faults.append(f"{path}: laterality {row['laterality']!r} of {stem!r}; write L or R")
        if row["projection"] not in _PROJECTIONS:
            faults.append(f"{path}: projection {row['projection']!r} of {stem!r}; write 1, 2 or 3")
        if stem in records:
            faults.append(f"{path}: has two rows for {stem!r}; remove one")
        records[stem] = Record(row["patient_id"], row["laterality"] == "R", row["projection"] == _FRONTAL)
    raise_faults(faults)
    return records


def read_stems(path: Path) -> list[str]:
    """The names in the column filestem (or file_stem) of a CSV file, in order.

    Raises:
        InputError: if there is none.
    """
    rows = read_sheet(path)
    for column in ("filestem", "file_stem"):
        if rows and column in rows[0]:
            return [row[column] for row in rows]
    raise InputError(f"{path}: has no column filestem or no row; give the names of images there")
