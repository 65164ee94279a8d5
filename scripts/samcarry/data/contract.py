"""The folder layout of a data set: how its images, label folders and cases.csv are named and found."""

import difflib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from samcarry.data.user_files import by_name, composed, image_name, visible_entries
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.images import IMAGE_SUFFIXES
from samcarry.storage.sheets import read_sheet

LABELLED_SPLITS = ("train", "val", "test")
"""Splits in which every case needs labels."""

SPLITS = (*LABELLED_SPLITS, "unlabelled")
COLUMNS = ("case", "patient", "split", "order")
"""The columns of cases.csv that samcarry uses; all others are kept unchanged."""

NOTES = ("spacing", "group", "site")
"""Further columns of cases.csv that evaluations read: mm per pixel, and the group that a case belongs to."""

IMPORTED_FROM = "imported_from"
"""A further column that imports write: the path of the user's own image below its folder."""

MIRRORED = "mirrored"
"""A further column of an import that mirrors right sides, and of its copies: 1 for mirrored images."""

CORRECTED_BY, CORRECTED_MINUTES = "corrected_by", "corrected_minutes"
"""Further columns of a data set with corrections: who corrected a case on its page, and for how long."""

_NOT_IN_CASE_NAMES = "<>{}"  # Snakemake reads <word> and {word} in a path as wildcards
_MAX_NAME_BYTES = 200  # file systems allow 255, and names of output files add a suffix

_PATIENT_WORDS = {"patient", "patients", "subject", "participant", "person", "proband", "mrn", "pid"}
_NAME_WORDS = {"id", "ids", "uid", "name", "number", "no", "nr", "code", "key"}
_SPLIT_WORDS = {*SPLITS, "training", "val", "valid", "validation", "testing", "unlabeled"}
"""What the names of columns of patients, and the columns of splits, contain in tables of other programs."""

CASE_NAME_RULE = (
    "the name of a case cannot contain < > { } or unprintable characters, begin or end with a blank, or have "
    f"more than {_MAX_NAME_BYTES} bytes"
)

_NOT_IN_CLASS_NAMES = "/\\;,<>{}"  # a class name becomes a file name and an entry in a CSV list

CLASS_NAME_RULE = (
    r"the name of a class cannot contain / \ ; , < > { } or unprintable characters, begin with a dot, begin "
    f"or end with a blank, or have more than {_MAX_NAME_BYTES} bytes"
)


def pattern_root(path: str) -> str:
    """The part of a path before any pattern: 'masks' for masks/{case}/*.png, else the path itself."""
    parts = path.split("/")
    for place, part in enumerate(parts):
        if any(sign in part for sign in "{}*"):
            return "/".join(parts[:place]) or "."
    return path


def is_case_name(name: str) -> bool:
    """Whether `name`, an image's file name without its suffix, is a valid name of a case."""
    return (
        name == name.strip()
        and name.isprintable()
        and len(name.encode()) <= _MAX_NAME_BYTES
        and not any(character in name for character in _NOT_IN_CASE_NAMES)
    )


def is_class_name(name: str) -> bool:
    """Whether `name` is a valid name of a class."""
    return (
        name == name.strip() != ""
        and name.isprintable()
        and len(name.encode()) <= _MAX_NAME_BYTES
        and not name.startswith(".")
        and not any(character in name for character in _NOT_IN_CLASS_NAMES)
    )


def find_images(folder: Path, faults: list[str], warnings: list[str]) -> dict[str, Path]:
    """The image files of a data set as {case: image}; no image is opened.

    Args:
        folder: the folder images/.
        faults: one line is added for each invalid name, for each second image of a case, and if all images
            are in subfolders.
        warnings: one line is added if there are files that are not images, and for subfolders with images.

    Raises:
        InputError: the folder does not exist, or neither it nor its subfolders contain an image with a valid
            name.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; create it and put the images into it")
    found, others, deeper = [], [], {}
    for file in visible_entries(folder):
        name = image_name(file)
        if file.is_dir() and (inside := _images_below(file)):
            deeper[f"{file.name}/"] = inside
        elif name is None or file.is_dir():
            others.append(file.name)
        elif not is_case_name(name):
            faults.append(f"{file}: {CASE_NAME_RULE}; rename the file")
        else:
            found.append((name, file))
    images = by_name(found, "image of case", faults)
    if others:
        warnings.append(
            f"{folder}: ignored what is not an image ({', '.join(IMAGE_SUFFIXES)}): {shortlist(others)}"
        )
    if deeper:
        places = shortlist([f"{name} ({count})" for name, count in deeper.items()])
        line = (
            f"{folder}: images in subfolders are not read: {places}; move them up into {folder}, each with a "
            "name of its own, or import them with a format that searches subfolders, such as class_pngs "
            "(docs/own-data.md)"
        )
        (warnings if images else faults).append(line)
    elif not images:
        raise_faults(faults)
        raise InputError(f"{folder}: contains no image ({', '.join(IMAGE_SUFFIXES)}); put the images into it")
    return images


def _images_below(folder: Path) -> int:
    """The number of image files in a folder and its subfolders."""
    return sum(
        image_name(Path(name)) is not None
        for _, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    )


def find_labels(folder: Path, images: Mapping[str, Path], faults: list[str]) -> dict[str, Path]:
    """The label folders of a data set as {case: folder}; {} if there is no folder of labels.

    Args:
        folder: the folder labels/.
        images: the images of the data set, as `find_images` returns them.
        faults: one line is added for each file in place of a folder, for each folder without an image, and
            for each second folder of a case.
    """
    found = []
    for entry in visible_entries(folder) if folder.is_dir() else []:
        name = composed(entry.name)
        if not entry.is_dir():
            faults.append(
                f"{entry}: is a file, but {folder} must contain one folder per case; move it to "
                f"{folder}/<case>/<class>.png or remove it"
            )
        elif name not in images:
            faults.append(
                f"{entry}: there is no image {folder.parent}/images/{name}.png (or .jpg, .tif) for these "
                "labels; add the image or remove the folder"
            )
        else:
            found.append((name, entry))
    return by_name(found, "folder of case", faults)


def read_rows(
    path: Path, images: Mapping[str, Path], faults: list[str]
) -> tuple[dict[str, dict[str, str]], bool]:
    """The rows of cases.csv as {case: row}, and whether it has a column `split`; {} without cases.csv.

    Args:
        path: cases.csv.
        images: the images of the data set, as `find_images` returns them.
        faults: one line is added for each fault of a column or row.

    Raises:
        InputError: the file cannot be read, see `sheets.read_sheet`.
    """
    if not path.exists():
        return {}, False
    sheet = read_sheet(path, required=["case"])
    columns = list(sheet[0]) if sheet else []
    for column in columns:
        meant = _meant(column, {row[column] for row in sheet})
        # If `patient_id` were silently ignored, one patient could be in two splits.
        if meant and meant not in columns:
            faults.append(f"{path}: column {column!r} looks like {meant!r}; rename or remove the column")
    rows: dict[str, dict[str, str]] = {}
    for row in sheet:
        name = row["case"]
        if not name or "/" in name or "\\" in name:
            faults.append(
                f"{path}: {name!r} is not the name of a case; write the image's file name without its folder "
                "and suffix"
            )
        elif name in rows:
            faults.append(f"{path}: has two rows for case {name!r}; remove one of them")
        elif name not in images and (stem := image_name(Path(name))) in images:
            faults.append(
                f"{path}: case {name!r} is written with the suffix of its file; write {stem!r}, the file "
                "name without the suffix"
            )
        elif name not in images:
            faults.append(
                f"{path}: there is no image {path.parent}/images/{name}.png (or .jpg, .tif) for "
                f"case {name!r}; add the image or remove the row"
            )
        if row.get("split", "") not in ("", *SPLITS):
            faults.append(
                f"{path}: split {row['split']!r} of case {name!r} is unknown; write {', '.join(SPLITS)}"
            )
        if row.get("order") and not re.fullmatch(r"-?\d{1,9}(\.0*)?", row["order"]):
            faults.append(
                f"{path}: order {row['order']!r} of case {name!r} is not a whole number; write 1, 2, …"
            )
            row["order"] = ""
        if row.get("spacing"):
            try:
                parse_spacing(row["spacing"])
            except InputError as error:
                faults.append(f"{path}: case {name!r}: {error}")
        rows.setdefault(name, row)
    return rows, "split" in columns


def _meant(column: str, values: Collection[str]) -> str:
    """The column that another name or these values likely stand for; '' if there is none."""
    words = set(re.split(r"[\W_]+", column.lower()))
    if words & _PATIENT_WORDS and words <= _PATIENT_WORDS | _NAME_WORDS:
        return "patient"
    if {value.lower() for value in values} - {""} <= _SPLIT_WORDS and any(values):
        return "split"
    return next(iter(difflib.get_close_matches(column.lower(), (*COLUMNS, *NOTES), 1, 0.8)), "")


def mirrored_cases(folder: str | Path) -> frozenset[str]:
    """The cases of a data set whose images are mirrored, as the column `mirrored` of cases.csv says.

    Raises:
        InputError: the file cannot be read, see `sheets.read_sheet`.
    """
    sheet = Path(folder) / "cases.csv"
    rows = read_sheet(sheet) if sheet.exists() else []
    return frozenset(row["case"] for row in rows if row.get(MIRRORED) == "1")


def parse_spacing(text: str) -> tuple[float, float]:
    """The size of a pixel as one or two numbers in mm, height first: '0.14', '0.14 0.2' or '0.14;0.2'.

    Raises:
        InputError: the text is something else; the message lacks the place.
    """
    try:
        values = [float(part) for part in text.replace(";", " ").split()]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(0 < value < 1000 for value in values):
        raise InputError(
            f"spacing {text!r} is not one or two numbers above 0; write mm per pixel, for example 0.14, or "
            "the height and the width of a pixel, 0.14 0.2"
        )
    return values[0], values[-1]
