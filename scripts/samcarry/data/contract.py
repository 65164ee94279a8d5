"""The folder layout of a data set: how its images, label folders and cases.csv are named and found."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from unicodedata import normalize

from samcarry.errors import InputError, shortlist
from samcarry.images import IMAGE_SUFFIXES
from samcarry.storage.sheets import read_sheet

LABELLED_SPLITS = ("train", "val", "test")
"""Splits in which every case needs labels."""

SPLITS = (*LABELLED_SPLITS, "unlabelled")
COLUMNS = ("case", "patient", "split", "order")
"""The columns of cases.csv that samcarry uses; all others are kept unchanged."""

_IGNORED_FILES = ("thumbs.db", "desktop.ini")  # and every hidden file
_NOT_IN_CASE_NAMES = "<>{}"  # Snakemake reads <word> and {word} in a path as wildcards
_MAX_NAME_BYTES = 200  # file systems allow 255, and names of output files add a suffix

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


def visible_entries(folder: Path) -> list[Path]:
    """Files and folders in `folder`, sorted, without hidden files and those that file managers create."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(".") and entry.name.lower() not in _IGNORED_FILES
    )


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

    Names are in Unicode's composed form, because macOS writes the decomposed one.

    Args:
        folder: the folder images/.
        faults: one line is added for each invalid name and for each second image of a case.
        warnings: one line is added if there are files that are not images.

    Raises:
        InputError: the folder does not exist or contains no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; create it and put the images into it")
    images: dict[str, Path] = {}
    others = []
    for file in visible_entries(folder):
        name = normalize("NFC", file.stem)
        if file.suffix.lower() not in IMAGE_SUFFIXES or file.is_dir():
            others.append(file.name)
        elif not is_case_name(name):
            faults.append(f"{file}: {CASE_NAME_RULE}; rename the file")
        elif name in images:
            faults.append(
                f"{file}: is a second image of case {name!r}, besides {images[name].name}; "
                "rename or remove one of them"
            )
        else:
            images[name] = file
    if others:
        warnings.append(
            f"{folder}: ignored what is not an image ({', '.join(IMAGE_SUFFIXES)}): {shortlist(others)}"
        )
    if not images:
        raise InputError(f"{folder}: contains no image ({', '.join(IMAGE_SUFFIXES)}); put the images into it")
    return images


def find_labels(folder: Path, images: Mapping[str, Path], faults: list[str]) -> dict[str, Path]:
    """The label folders of a data set as {case: folder}; {} if there is no folder of labels.

    Args:
        folder: the folder labels/.
        images: the images of the data set, as `find_images` returns them.
        faults: one line is added for each file in place of a folder and for each folder without an image.
    """
    labels: dict[str, Path] = {}
    for entry in visible_entries(folder) if folder.is_dir() else []:
        name = normalize("NFC", entry.name)
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
            labels[name] = entry
    return labels


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
        for meant in difflib.get_close_matches(column.lower(), COLUMNS, 1, 0.8):
            # If `patient_id` were silently ignored, one patient could be in two splits.
            if meant not in columns:
                faults.append(f"{path}: column {column!r} looks like {meant!r}; rename or remove the column")
    rows: dict[str, dict[str, str]] = {}
    for row in sheet:
        name = row["case"] = normalize("NFC", row["case"])
        if not name or "/" in name or "\\" in name:
            faults.append(
                f"{path}: {name!r} is not the name of a case; write the image's file name without its folder "
                "and suffix"
            )
        elif name in rows:
            faults.append(f"{path}: has two rows for case {name!r}; remove one of them")
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
        rows.setdefault(name, row)
    return rows, "split" in columns
