"""Class tables of label maps: reading and writing which class a number or colour stands for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samcarry.errors import InputError, raise_faults
from samcarry.images.colours import class_colours_8bit
from samcarry.storage.sheets import read_sheet
from samcarry.storage.tables import write_table

LARGEST_NUMBER = 65535
_BACKGROUND = ("", "background")
_NUMBER_COLUMNS = ("value", "number")
_COLOUR_COLUMNS = ("colour", "color")
_CHANNEL_COLUMNS = (("r", "g", "b"), ("red", "green", "blue"))


@dataclass(frozen=True)
class ClassTable:
    """Which class each pixel value stands for; None is the background.

    Attributes:
        source: the table's file or its key in the config, for messages.
        numbers: {number of 0..65535: class}.
        colours: {red << 16 | green << 8 | blue: class}.
    """

    source: str
    numbers: dict[int, str | None] = field(default_factory=dict)
    colours: dict[int, str | None] = field(default_factory=dict)


def load_class_table(given: str | Path | Mapping[Any, str | None] | None, place: str) -> ClassTable | None:
    """The table that a config gives as a file or as a mapping at the key `place`; None if it gives none.

    Raises:
        InputError: see `read_class_table` and `parse_class_table`.
    """
    if given is None:
        return None
    return parse_class_table(given, place) if isinstance(given, Mapping) else read_class_table(given)


def read_class_table(path: str | Path) -> ClassTable:
    """Read a CSV table with a column `class` and at least one column with the pixel value.

    A pixel value is in `value` (or `number`), a number or #rrggbb; in `colour` (or `color`), #rrggbb; or in
    `r`, `g` and `b` (or `red`, `green` and `blue`). If a row has a number and a colour, other rows may have
    the same colour; such a colour is then left out of the table. A class called background, or without a
    name, is the background. `write_class_table` writes such a table.

    Raises:
        InputError: one line per fault: no such file, none of these columns, a value that is not a number or
            colour, or a value with two different classes.
    """
    path = Path(path)
    rows = read_sheet(path, required=["class"])
    columns = set(rows[0]) if rows else set()
    known = {*_NUMBER_COLUMNS, *_COLOUR_COLUMNS} & columns
    if not known and not any(set(channels) <= columns for channels in _CHANNEL_COLUMNS):
        raise InputError(
            f"{path}: has no column of pixel values; write one row per class below a header value,class or "
            "r,g,b,class"
        )
    table = ClassTable(str(path))
    faults: list[str] = []
    ambiguous_colours: set[int] = set()
    for number, row in enumerate(rows, start=1):
        try:
            for position, text in enumerate(_value_texts(row)):
                kind, value = _parse_value(text)
                if _enter(table, kind, value, row["class"]):
                    continue
                if position == 0 or kind == "number":
                    raise InputError(f"gives another class to the value {text}; remove one of the two")
                ambiguous_colours.add(value)  # long tables repeat colours; their numbers are unique
        except InputError as error:
            faults.append(f"{path}: entry {number} {error}")
    raise_faults(faults)
    for colour in ambiguous_colours:
        del table.colours[colour]
    return table


def parse_class_table(given: Mapping[Any, str | None], source: str) -> ClassTable:
    """A table from {number or #rrggbb: class} in a config.

    Raises:
        InputError: one line for each value that is not a number or colour, or has two different classes.
    """
    table = ClassTable(source)
    faults: list[str] = []
    for text, name in given.items():
        try:
            kind, value = _parse_value(str(text))
            if not _enter(table, kind, value, name or ""):
                raise InputError(
                    "gives another class to a value that is listed already; remove one of the two"
                )
        except InputError as error:
            faults.append(f"{source}: {text!r} {error}")
    raise_faults(faults)
    return table


def _value_texts(row: Mapping[str, str]) -> Iterator[str]:
    """The pixel values in a row, as number or #rrggbb; our own tables have one of each."""
    for column in (*_NUMBER_COLUMNS, *_COLOUR_COLUMNS):
        if column in row:
            yield row[column]
    for channels in _CHANNEL_COLUMNS:
        if set(channels) <= set(row):
            parts = [row[channel] for channel in channels]
            if not all(re.fullmatch(r"[0-9]{1,3}", part) and int(part) < 256 for part in parts):
                text = ", ".join(parts)
                raise InputError(
                    f"has the colour {text!r:.40}, which is not three numbers from 0 to 255; correct it"
                )
            yield "#" + "".join(f"{int(part):02x}" for part in parts)


def _parse_value(text: str) -> tuple[str, int]:
    """('number', 7) for '7', and ('colour', 0xff0000) for '#ff0000'."""
    if re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= LARGEST_NUMBER:
        return "number", int(text)
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return "colour", int(text[1:], 16)
    raise InputError(
        f"has the value {text!r:.20}, which is neither 0 to {LARGEST_NUMBER} nor #rrggbb; correct it"
    )


def _enter(table: ClassTable, kind: str, value: int, name: str) -> bool:
    """Enter a value with its class; False, and no change, if it already has another class."""
    entries = table.numbers if kind == "number" else table.colours
    class_name = None if name.strip().lower() in _BACKGROUND else name.strip()
    return entries.setdefault(value, class_name) == class_name


def write_class_table(path: str | Path, classes: Sequence[str]) -> None:
    """Write number, class and colour of each class as CSV; number 0 is the background, in black."""
    rows: list[tuple[object, ...]] = [(0, "background", 0, 0, 0)]
    for number, (name, colour) in enumerate(zip(classes, class_colours_8bit(len(classes)), strict=True), 1):
        rows.append((number, name, *colour))
    write_table(path, ("number", "class", "red", "green", "blue"), rows)
