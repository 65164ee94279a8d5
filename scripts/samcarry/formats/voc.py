"""Pascal VOC's label maps for segmentation: reading maps with a void border, and labelmap.txt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samcarry.errors import raise_faults
from samcarry.formats.class_tables import ClassTable, load_class_table, parse_class_table
from samcarry.formats.label_maps import read_label_map
from samcarry.geometry.shapes import Annotation, ClassMapper, same_name
from samcarry.storage.reading import read_user_text

MAPS_FOLDER = "SegmentationClass"
_VOID_NUMBER, _VOID_COLOUR = 255, 0xE0E0C0
_VOID = ("ignore", "void", "__ignore__", "_background_")  # names that mean no class, besides background


def read_voc(
    path: str | Path, map_class: ClassMapper = same_name, *, table: ClassTable | None = None
) -> list[Annotation]:
    """Read a label map as `label_maps.read_label_map` does; the void border belongs to no class.

    Void is number 255, or #e0e0c0, unless the table names it.

    Args:
        path: a PNG of 8 bits: with a palette, or in colours.
        map_class: maps a name in the table to a class, None to skip it.
        table: None uses each number as the name of its class.

    Returns:
        One annotation.

    Raises:
        InputError: see `label_maps.read_label_map`.
    """
    if table is None:
        numbers: dict[int, str | None] = {number: str(number) for number in range(1, _VOID_NUMBER)}
        table = ClassTable("Pascal VOC", numbers)
    numbers = {_VOID_NUMBER: None, **table.numbers} if table.numbers else {}
    colours = {_VOID_COLOUR: None, **table.colours} if table.colours else {}
    return read_label_map(path, map_class, table=ClassTable(table.source, numbers, colours))


def load_voc_table(given: str | Path | Mapping[Any, str | None] | None, place: str) -> ClassTable | None:
    """The classes in labelmap.txt, whose lines are `name:r,g,b:parts:actions`, or as for `load_class_table`.

    Raises:
        InputError: one line per fault: the file cannot be read, or a line is not a name and a colour.
    """
    if not isinstance(given, str | Path) or Path(given).suffix.lower() != ".txt":
        return load_class_table(given, place)
    path = Path(given)
    text = read_user_text(path)
    colours: dict[str, str | None] = {}
    faults: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.strip().partition(":")
        parts = [part.strip() for part in rest.partition(":")[0].split(",")]
        if len(parts) != 3 or not all(
            part.isdecimal() and len(part) < 4 and int(part) < 256 for part in parts
        ):
            faults.append(f"{path}: line {number} is not name:r,g,b:parts:actions; correct it")
            continue
        colour = "#" + "".join(f"{int(part):02x}" for part in parts)
        name = "" if name.strip().lower() in _VOID else name
        if colours.setdefault(colour, name) != name:
            faults.append(f"{path}: line {number} gives another class to a colour; remove one of the two")
    if not colours and not faults:
        faults.append(f"{path}: names no class; write one line name:r,g,b:: for each")
    raise_faults(faults)
    return parse_class_table(colours, str(path))
