"""Tables that name the classes of label maps: what a number or a colour stands for."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samcarry.errors import InputError, raise_faults
from samcarry.images.colours import colours_of
from samcarry.storage.files import write_text
from samcarry.storage.sheets import read_sheet

LARGEST_NUMBER = 65535
_BACKGROUND = ("", "background")
_NUMBER_COLUMNS = ("value", "number")
_COLOUR_COLUMNS = ("colour", "color")
_CHANNEL_COLUMNS = (("r", "g", "b"), ("red", "green", "blue"))


@dataclass(frozen=True)
class ClassTable:
    """What pixels stand for; None is the background.

    Attributes:
        source: the table's file, or where in the config it stands, for messages.
        numbers: {number of 0..65535: class}.
        colours: {red << 16 | green << 8 | blue: class}.
    """

    source: str
    numbers: dict[int, str | None] = field(default_factory=dict)
    colours: dict[int, str | None] = field(default_factory=dict)


def read_class_table(path: str | Path) -> ClassTable:
    """Read a CSV table with a column `class` and one or several that tell the pixels' value.

    These are `value` (or `number`), a number or #rrggbb; `colour` (or `color`), #rrggbb; and `r`, `g` and
    `b` (or `red`, `green`, `blue`). Colours beside a number may repeat, and then name nothing. A class
    that is called background, or has no name, is the background. `exporting.write_class_table` writes
    such a table.

    Raises:
        InputError: a line for each fault: no such file, no such columns, a value that is no number or
            colour, or that two rows name differently.
    """
    path = Path(path)
    rows = read_sheet(path, required=["class"])
    columns = set(rows[0]) if rows else set()
    known = {*_NUMBER_COLUMNS, *_COLOUR_COLUMNS} & columns
    if not known and not any(set(channels) <= columns for channels in _CHANNEL_COLUMNS):
        raise InputError(
            f"{path}: names no value; write rows below a header value,class or r,g,b,class, one a class"
        )
    table = ClassTable(str(path))
    faults: list[str] = []
    shared: set[int] = set()
    for number, row in enumerate(rows, start=1):
        try:
            first, *others = _values(row)
            _put(table, first, row["class"])
            for text in others:  # the number tells; a long table runs out of colours
                _put(table, text, row["class"], shared)
        except InputError as error:
            faults.append(f"{path}: entry {number} {error}")
    raise_faults(faults)
    for colour in shared:
        del table.colours[colour]
    return table


def find_class_table(given: str | Path | Mapping[Any, str | None] | None, place: str) -> ClassTable | None:
    """The table that a config names by its file, or holds itself at `place`; None if it does neither.

    Raises:
        InputError: see `read_class_table` and `class_table`.
    """
    if given is None:
        return None
    return class_table(given, place) if isinstance(given, Mapping) else read_class_table(given)


def class_table(given: Mapping[Any, str | None], source: str) -> ClassTable:
    """A table from {number or #rrggbb: class} as it stands in a config.

    Raises:
        InputError: a line for each value that is no number or colour.
    """
    table = ClassTable(source)
    faults: list[str] = []
    for text, name in given.items():
        try:
            _put(table, str(text), name or "")
        except InputError as error:
            faults.append(f"{source}: {text!r} {error}")
    raise_faults(faults)
    return table


def _values(row: Mapping[str, str]) -> Iterator[str]:
    """What a row says of the pixels' value, as number or #rrggbb; our own tables say both."""
    for column in (*_NUMBER_COLUMNS, *_COLOUR_COLUMNS):
        if column in row:
            yield row[column]
    for channels in _CHANNEL_COLUMNS:
        if set(channels) <= set(row):
            parts = [row[channel] for channel in channels]
            if not all(re.fullmatch(r"[0-9]{1,3}", part) and int(part) < 256 for part in parts):
                told = ", ".join(parts)
                raise InputError(f"has the colour {told!r:.40}, which is not three of 0 to 255; correct it")
            yield "#" + "".join(f"{int(part):02x}" for part in parts)


def _put(table: ClassTable, text: str, name: str, shared: set[int] | None = None) -> None:
    """Enter a value; one that has another name already goes to `shared`. A message goes behind the place."""
    entries, value = table.numbers, -1
    if re.fullmatch(r"[0-9]{1,5}", text):
        value = int(text)
    elif re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        entries, value = table.colours, int(text[1:], 16)
    if not 0 <= value <= (LARGEST_NUMBER if entries is table.numbers else 0xFFFFFF):
        raise InputError(
            f"has the value {text!r:.20}, which is neither 0 to {LARGEST_NUMBER} nor #rrggbb; correct it"
        )
    here = None if name.strip().lower() in _BACKGROUND else name.strip()
    if entries.setdefault(value, here) == here:
        return
    if shared is None:
        raise InputError(f"names the value {text} once more, and differently; remove one of the two")
    shared.add(value)


def write_class_table(path: str | Path, classes: Sequence[str]) -> None:
    """Write number, class and colour of each class as CSV; 0 is the background, black."""
    rows = [(0, "background", 0, 0, 0)]
    for number, (name, colour) in enumerate(zip(classes, colours_of(len(classes)), strict=True), 1):
        rows.append((number, name, *colour))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("number", "class", "red", "green", "blue"))
    writer.writerows(rows)
    write_text(path, stream.getvalue())
