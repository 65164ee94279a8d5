"""The side that each new image shows, for models whose training images of one side were mirrored."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from samcarry.data.user_files import composed
from samcarry.errors import InputError, raise_faults
from samcarry.images.dicom import dicom_codes, is_dicom
from samcarry.images.preparation import SIDES
from samcarry.predict.models import UNKNOWN, Model
from samcarry.storage.sheets import read_sheet

DICOM, PATTERN, NONE = "dicom", "pattern:", "none"
COLUMN = "laterality"
"""The column of a sheet that is read if the rule names none."""

_NAME_COLUMNS = ("case", "file", "image", "filestem", "file_stem", "name")
_SIDE_OF = {"l": "left", "left": "left", "r": "right", "right": "right"}
_TAGS = ["ImageLaterality", "Laterality"]
_SOURCES = f"left, right, {DICOM}, {PATTERN}REGEX or SHEET.csv:COLUMN"
CHOICES = f"{_SOURCES}, or {NONE} if no image was mirrored in training"

Finder = Callable[[str, str, Path], list[str]]
"""What a source says of the side of an image, given its case, its path below the folder, and the file."""


def check_laterality(model: Model, rule: str | None) -> None:
    """Refuse a rule that does not fit a model, and a missing one where it is needed.

    Raises:
        InputError: the model was trained on mirrored images, or does not say so, and there is no rule; or
            there is a rule, but no image was mirrored.
    """
    if model.mirrored is None and rule not in (None, NONE):
        raise InputError(
            f"--laterality {rule}: this model was trained without mirroring, so it needs unmirrored images; "
            "leave the option out"
        )
    if model.mirrored == UNKNOWN and rule is None:
        raise InputError(
            "the model file does not say whether images of right sides were mirrored in its training (an "
            f"older samcarry wrote it); say it with --laterality: {CHOICES}"
        )
    if model.mirrored in SIDES and rule in (None, NONE):
        raise InputError(
            f"this model was trained with mirrored images of {model.mirrored} sides, so the side of each new "
            f"image has to be known; add --laterality: {_SOURCES}"
        )


def side_to_mirror(model: Model, rule: str | None) -> str | None:
    """The side whose images have to be mirrored for a model, given a rule that `check_laterality` accepts."""
    if model.mirrored == UNKNOWN:
        return None if rule == NONE else "right"
    return model.mirrored


def find_sides(rule: str, files: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """{case: 'left' or 'right'} of all images.

    Args:
        rule: 'left' or 'right' for all images; 'dicom' for the tags ImageLaterality and Laterality;
            'pattern:' and a regular expression for the image's path below `folder`, whose first group is L,
            R, left or right, or which has groups named `left` and `right`; or a CSV file with a column of
            names and one of sides, 'sides.csv:column'.
        files: {case: image file}.
        folder: the folder of the images.

    Raises:
        InputError: the rule is unknown, or one line for each image whose side cannot be found.
    """
    find, source = _finder(rule, files)
    sides, faults = {}, []
    for case, file in files.items():
        try:
            texts = find(case, composed(file.relative_to(folder).as_posix()), file)
        except InputError as error:
            faults.append(str(error))
            continue
        found = {_SIDE_OF.get(text.lower()) for text in texts}
        side = found.pop() if len(found) == 1 else None
        if side is None:
            said = f"says {' and '.join(map(repr, sorted(set(texts))))}" if texts else "says nothing"
            faults.append(f"{file}: its side is not known ({source} {said}); correct it, or remove the image")
        else:
            sides[case] = side
    raise_faults(faults)
    return sides


def _finder(rule: str, files: Mapping[str, Path]) -> tuple[Finder, str]:
    """What finds the sides, and its name for messages."""
    if rule in SIDES:
        return (lambda case, name, file: [rule]), rule
    if rule == DICOM:
        return _from_dicom, "its DICOM header"
    if rule.startswith(PATTERN):
        return _pattern_finder(rule.removeprefix(PATTERN)), f"the pattern {rule.removeprefix(PATTERN)!r}"
    sheet, column = _sheet_and_column(rule)
    if sheet.suffix.lower() != ".csv" and not sheet.is_file():
        raise InputError(f"--laterality {rule}: is none of {CHOICES}")
    return _sheet_finder(sheet, column, files), f"column {column!r} of {sheet}"


def _from_dicom(case: str, name: str, file: Path) -> list[str]:
    return [code for code in dicom_codes(file, _TAGS).values() if code] if is_dicom(file) else []


def _pattern_finder(pattern: str) -> Finder:
    try:
        expression = re.compile(composed(pattern))
    except re.error as error:
        raise InputError(f"--laterality {PATTERN}{pattern}: is not a regular expression ({error})") from None
    named = set(SIDES) <= set(expression.groupindex)
    if not named and expression.groups < 1:
        raise InputError(
            f"--laterality {PATTERN}{pattern}: has no group; put the L or R of the names in parentheses"
        )

    def find(case: str, name: str, file: Path) -> list[str]:
        matches = expression.finditer(name)
        if named:
            return [side for match in matches for side in SIDES if match[side] is not None]
        return [match[1] or "" for match in matches]

    return find


def _sheet_and_column(rule: str) -> tuple[Path, str]:
    path, _, column = rule.rpartition(":")
    return (Path(rule), COLUMN) if not path or Path(rule).is_file() else (Path(path), composed(column))


def _sheet_finder(sheet: Path, column: str, files: Mapping[str, Path]) -> Finder:
    """Sides from a sheet; its names are paths below the folder of images, or unique names without folders."""
    rows = read_sheet(sheet, [column])
    names = next((name for name in _NAME_COLUMNS if rows and name in rows[0]), None)
    if names is None:
        raise InputError(
            f"{sheet}: has no row, or no column {' or '.join(_NAME_COLUMNS)} with the names; add it"
        )
    given: dict[str, list[str]] = {}
    for row in rows:
        given.setdefault(row[names].replace("\\", "/"), []).append(row[column])
    namesakes = Counter(
        last for case, file in files.items() for last in {_last(case), _last(composed(file.name))}
    )

    def find(case: str, name: str, file: Path) -> list[str]:
        whole, last = (name, case), (_last(name), _last(case))
        for key in (*whole, *last):
            if key in given:
                if key not in whole and namesakes[key] > 1:
                    raise InputError(
                        f"{file}: {sheet} has {key!r} without a folder, but several images have this name; "
                        "write their paths"
                    )
                return given[key]
        return []

    return find


def _last(path: str) -> str:
    return path.rpartition("/")[2]
