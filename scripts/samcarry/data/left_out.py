"""left_out.csv: images that are not among the cases of a data set, counted by the reason."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from samcarry.storage.reading import reading_made
from samcarry.storage.tables import read_table, write_table

FILE = "left_out.csv"
_COLUMNS = ("reason", "images")


def write_left_out(path: str | Path, counts: Mapping[str, int]) -> None:
    """Write {reason: number of images}, without reasons that concern none."""
    write_table(path, _COLUMNS, sorted((reason, count) for reason, count in counts.items() if count))


def read_left_out(paths: Iterable[str | Path]) -> dict[str, int]:
    """{reason: number of images} of several files together.

    Raises:
        DamagedError: a file is damaged.
    """
    found: dict[str, int] = {}
    for path in paths:
        with reading_made(path, "it is damaged", (ValueError,)):
            for row in read_table(path, _COLUMNS):
                found[row["reason"]] = found.get(row["reason"], 0) + int(row["images"])
    return found
