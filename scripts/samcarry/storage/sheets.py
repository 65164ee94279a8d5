"""CSV sheets that people write, read as text, in the variants that spreadsheet programs save."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from samcarry.errors import InputError
from samcarry.storage.cells import unguarded
from samcarry.storage.reading import reading

_HEAD = 1024  # bytes in which UTF-16 shows by zeros


def read_sheet(path: str | Path, required: Sequence[str] = ()) -> list[dict[str, str]]:
    """Rows of a CSV file as {column: text}, without blanks around names and texts.

    The header decides whether commas or semicolons separate the fields. A byte order mark and empty lines
    are ignored. Texts are in Unicode's composed form, as the names of the user's files are, and without the
    apostrophe before what a spreadsheet program would take for a formula, see `cells`.

    Raises:
        InputError: the file cannot be read, is UTF-16, separates columns by tabs, begins with Excel's line
            `sep=`, lacks a `required` column, has two columns of one name, or has a row with more fields than
            the header.
    """
    path = Path(path)
    try:
        with reading(path, by_rule=False):
            data = path.read_bytes()
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:_HEAD]:
            raise InputError(f"{path}: is not UTF-8, but UTF-16 (Excel's Unicode text); save it as CSV UTF-8")
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as UTF-8: {_place(error)}; save it as CSV UTF-8") from None
    header = text.partition("\n")[0]
    if re.fullmatch(r'"?sep=.?"?\s*', header, re.IGNORECASE):
        raise InputError(f"{path}: begins with the line {header.strip()!r}, which is for Excel; remove it")
    if "\t" in header.strip() and not set(header) & {",", ";"}:
        raise InputError(
            f"{path}: separates its columns by tabs; save it as CSV UTF-8, with commas or semicolons"
        )
    separator = ";" if header.count(";") > header.count(",") else ","
    try:
        stream = io.StringIO(text, newline="")
        lines = csv.reader(stream, delimiter=separator, strict=True)
        records = [[normalize("NFC", unguarded(field.strip()).strip()) for field in line] for line in lines]
    except csv.Error as error:
        raise InputError(f"{path}: is not CSV ({error}); save it as CSV UTF-8") from None
    columns = records[0] if records else []
    for name in required:
        if name not in columns:
            found = ", ".join(columns) or "none"
            raise InputError(f"{path}: has no column {name!r} (columns: {found}); add or rename it")
    for name in columns:
        if columns.count(name) > 1:
            raise InputError(f"{path}: has two columns {name!r}; remove one")
    rows = []
    for number, record in enumerate(records[1:], start=2):
        if len(record) > len(columns):
            raise InputError(
                f"{path}: row {number} has {len(record)} fields, but the header has {len(columns)}; "
                f"put quotes around texts that contain {separator!r}"
            )
        if any(record):
            texts = record + [""] * (len(columns) - len(record))
            rows.append(dict(zip(columns, texts, strict=True)))
    return rows


def _place(error: UnicodeDecodeError) -> str:
    """Row and column of the first character that is not UTF-8, and what it may be, as text."""
    before = error.object[: error.start]
    row = before.count(b"\n") + 1
    line = error.object[before.rfind(b"\n") + 1 :].splitlines()[0]
    ahead = before[before.rfind(b"\n") + 1 :]
    header = error.object.partition(b"\n")[0]
    separator = b";" if header.count(b";") > header.count(b",") else b","
    number = ahead.count(separator)  # quoted separators aside
    names = [name.strip().decode("cp1252", "replace").strip('"') for name in header.split(separator)]
    column = f"column {names[number]!r}" if row > 1 and number < len(names) else f"column {number + 1}"
    text = line.split(separator)[number].decode("cp1252", "replace").strip().strip('"')
    return f"row {row}, {column} is probably in Windows-1252 (in which it reads {text!r})"
