"""CSV tables that rules write and other rules read; for sheets that people write see `sheets`."""

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
    """Rows of a file of `write_table` as {column: text}.

    Args:
        path: the file.
        columns: columns that it must have; others may follow.

    Raises:
        DamagedError: the file is missing, cannot be read or lacks a column, or a row has another length.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as stream:
            header, *rows = csv.reader(stream, strict=True)
        if missing := [name for name in columns if name not in header]:
            raise ValueError(f"column {missing[0]!r} is missing")
        return [dict(zip(header, row, strict=True)) for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise DamagedError(path, f"this table is damaged ({error})") from error
