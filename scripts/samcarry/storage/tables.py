"""CSV tables that rules write and other rules read; `sheets` reads CSV files that people write."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from samcarry.errors import DamagedError
from samcarry.storage.files import atomic


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows as CSV, atomically."""
    with atomic(path) as private, private.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_table(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a file written by `write_table` as {column: text}.

    Args:
        path: the CSV file.
        columns: columns that must exist; the file may have others.

    Raises:
        DamagedError: the file is missing, cannot be read, lacks a column, or has a row of another length.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as stream:
            header, *rows = csv.reader(stream, strict=True)
        if missing := [name for name in columns if name not in header]:
            raise ValueError(f"column {missing[0]!r} is missing")
        return [dict(zip(header, row, strict=True)) for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise DamagedError(path, f"this table is damaged ({error})") from error
