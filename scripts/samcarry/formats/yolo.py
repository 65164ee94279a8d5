"""YOLO's text files for segmentation, one per image: reading and writing outlines.

Each line holds the number of a class, from 0, and the corners of one outline as fractions of the image's
width and height. The file data.yaml names the classes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from samcarry.errors import InputError, raise_faults
from samcarry.formats.class_tables import ClassTable, load_class_table
from samcarry.formats.json_values import parse_points
from samcarry.geometry.outlines import outlines
from samcarry.geometry.shapes import Annotation, ClassMapper, Geometry, Polygon, collect_shapes, same_name
from samcarry.storage.files import atomic, write_text
from samcarry.storage.reading import read_user_text, reading

NOT_LABELS = ("classes.txt",)
_LARGEST_FRACTION = 100  # an outline may leave the image, but larger numbers are pixels


def read_yolo(
    path: str | Path, map_class: ClassMapper = same_name, *, table: ClassTable | None = None
) -> list[Annotation]:
    """Read a YOLO file, which annotates the image of the same name; an empty file means no shape.

    Args:
        path: the text file.
        map_class: maps a class to the one in the data set, None to skip its shapes.
        table: the names of the classes; None uses each number as the name of its class.

    Returns:
        One annotation.

    Raises:
        InputError: one line per fault: not UTF-8, a number that is not a class or not in the table, a line
            with only a box or with an odd number of coordinates, a coordinate that is not a fraction.
    """
    path = Path(path)
    text = read_user_text(path)
    faults: list[str] = []

    def read(words: list[str]) -> tuple[str, Geometry] | None:
        name = _class_of(words[0], table)
        class_name = None if name is None else map_class(name)
        return None if class_name is None else (class_name, _read_outline(words[1:]))

    lines = ((f"line {number}", line.split()) for number, line in enumerate(text.split("\n"), start=1))
    shapes, _ = collect_shapes(((place, words) for place, words in lines if words), read, str(path), faults)
    raise_faults(faults)
    return [Annotation(path, path.stem, None, shapes)]


def _class_of(text: str, table: ClassTable | None) -> str | None:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise InputError(f"begins with {text!r:.30} instead of the number of a class; export it again")
    if table is None:
        return str(int(text))
    if int(text) not in table.numbers:
        raise InputError(f"has the class {int(text)}, which {table.source} does not name; name it there")
    return table.numbers[int(text)]


def _read_outline(words: list[str]) -> Polygon:
    if len(words) == 4:
        raise InputError("has only a box; export outlines, as for segmentation")
    if len(words) % 2:
        raise InputError(f"has {len(words)} coordinates, an odd number; draw it again")
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise InputError("has a coordinate that is not a number; draw it again") from None
    corners = parse_points([list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)], fewest=3)
    if np.abs(corners).max() > _LARGEST_FRACTION:
        raise InputError("has coordinates in pixels; export them as fractions of width and height")
    return Polygon(corners, relative=True)


def load_yolo_table(given: str | Path | Mapping[Any, str | None] | None, place: str) -> ClassTable | None:
    """The classes in data.yaml, or a table as for `load_class_table`.

    Raises:
        InputError: the file cannot be read, or names no classes.
    """
    if not isinstance(given, str | Path) or Path(given).suffix.lower() not in (".yaml", ".yml"):
        return load_class_table(given, place)
    path = Path(given)
    try:
        with reading(path, by_rule=False):
            content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not readable YAML ({type(error).__name__}); correct it") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names or not all(type(number) is int for number in names):
        raise InputError(f"{path}: has no 'names' of classes; list them there, beginning with number 0")
    if not all(isinstance(name, str | int) and str(name).strip() for name in names.values()):
        raise InputError(f"{path}: has a class in 'names' that is not a text; correct it")
    return ClassTable(str(path), {number: str(name).strip() for number, name in names.items()})


def write_yolo(path: str | Path, masks: NDArray[np.bool_]) -> None:
    """Write one line for each connected part of each class of masks (class, height, width), atomically.

    Outlines follow the edges of pixels, so drawing them gives the same masks. An outline reaches a hole along
    an edge and returns along the same one, because the format has no holes.
    """
    height, width = masks.shape[1:]
    lines = []
    for number, mask in enumerate(masks):
        for outline in outlines(mask):
            fractions = (outline / (width, height)).ravel().tolist()
            lines.append(" ".join([str(number), *(f"{fraction:.9g}" for fraction in fractions)]) + "\n")
    with atomic(path) as private, private.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(lines)


def write_yolo_classes(path: str | Path, classes: Sequence[str]) -> None:
    """Write data.yaml with the names of the classes, atomically."""
    names = yaml.safe_dump({"names": dict(enumerate(classes))}, allow_unicode=True, sort_keys=False)
    write_text(path, "# For a training, add path, train and val: where your images are.\n" + names)
