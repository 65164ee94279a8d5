"""CSV tables that rules write and other rules read; `sheets` reads CSV files that people write."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from samcarry.storage.cells import guarded, unguarded
from samcarry.storage.files import atomic
from samcarry.storage.reading import reading_made


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows as CSV, atomically; no text becomes a formula, see `cells`."""
    with atomic(path) as private, private.open("w", encoding="utf-8", newline="") as stream:
        stream.write(_line(columns))
        stream.writelines(map(_line, rows))


def _line(row: Sequence[object]) -> str:
    line = io.StringIO()
    # With '\n' as its line end, csv would leave a '\r' in a text without quotes, and could not read it.
    csv.writer(line, lineterminator="\r\n").writerow(
        [guarded(cell) if isinstance(cell, str) else cell for cell in row]
    )
    return line.getvalue().removesuffix("\r\n") + "\n"


def read_table(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a file written by `write_table` as {column: text}.

    Args:
        path: the CSV file.
        columns: columns that must exist; the file may have others.

    Raises:
        DamagedError: the file is missing, is not CSV, lacks a column, or has a row of another length.
        InputError: the operating system cannot read it.
    """
    with reading_made(path, "this table is damaged", (ValueError, csv.Error)):
        with Path(path).open(encoding="utf-8", newline="") as stream:
            header, *rows = [[*map(unguarded, row)] for row in csv.reader(stream, strict=True)]
        if missing := [name for name in columns if name not in header]:
            raise ValueError(f"column {missing[0]!r} is missing")
        return [dict(zip(header, row, strict=True)) for row in rows]
