"""The file contract of a data set, as far as names go: its images, label folders and cases.csv."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from unicodedata import normalize

from samcarry.errors import InputError, shortlist
from samcarry.images import IMAGE_SUFFIXES
from samcarry.storage.sheets import read_sheet

SPLITS = ("train", "val", "test", "unlabelled")
COLUMNS = ("case", "patient", "split", "order")
"""The columns of cases.csv that mean something; others are kept."""

_LITTER = ("thumbs.db", "desktop.ini")  # and every hidden file
_NOT_IN_A_CASE = "<>{}"  # Snakemake takes <word> and {word} in a path for variables
_LONGEST_NAME = 200  # bytes; a file may have 255, and names of our own are made of it

NO_CASE_NAME = (
    "has blanks around its name, < > { or }, a character that does not print, or more than "
    f"{_LONGEST_NAME} bytes; rename it"
)

_NOT_IN_A_CLASS = "/\\;,<>{}"  # its name becomes a file's name and an entry in a CSV list

NO_CLASS_NAME = (
    r"a class name cannot hold any of / \ ; , < > { }, begin with a dot, have blanks around it "
    f"or more than {_LONGEST_NAME} bytes"
)


def pattern_root(path: str) -> str:
    """The path itself, or the folder below which a pattern such as masks/{case}/*.png begins."""
    parts = path.split("/")
    for place, part in enumerate(parts):
        if any(sign in part for sign in "{}*"):
            return "/".join(parts[:place]) or "."
    return path


def visible(folder: Path) -> list[Path]:
    """What a folder holds, sorted, without hidden files and what file managers leave behind."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(".") and entry.name.lower() not in _LITTER
    )


def is_case_name(name: str) -> bool:
    """Whether a case can be called so, that is, an image's file without its suffix."""
    return (
        name == name.strip()
        and name.isprintable()
        and len(name.encode()) <= _LONGEST_NAME
        and not any(character in name for character in _NOT_IN_A_CASE)
    )


def is_class_name(name: str) -> bool:
    """Whether a class can be called so."""
    return (
        name == name.strip() != ""
        and name.isprintable()
        and len(name.encode()) <= _LONGEST_NAME
        and not name.startswith(".")
        and not any(character in name for character in _NOT_IN_A_CLASS)
    )


def find_images(folder: Path, faults: list[str], warnings: list[str]) -> dict[str, Path]:
    """{case: image}, names in Unicode's composed form (macOS writes the decomposed one)."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; put the images there")
    images: dict[str, Path] = {}
    others = []
    for file in visible(folder):
        name = normalize("NFC", file.stem)
        if file.suffix.lower() not in IMAGE_SUFFIXES or file.is_dir():
            others.append(file.name)
        elif not is_case_name(name):
            faults.append(f"{file}: {NO_CASE_NAME}")
        elif name in images:
            faults.append(
                f"{file}: is a second image of case {name!r}, beside {images[name].name}; "
                "rename or remove one"
            )
        else:
            images[name] = file
    if others:
        warnings.append(
            f"{folder}: passed over what is no image ({', '.join(IMAGE_SUFFIXES)}): {shortlist(others)}"
        )
    if not images:
        raise InputError(f"{folder}: holds no image ({', '.join(IMAGE_SUFFIXES)}); put some there")
    return images


def find_labels(folder: Path, images: Mapping[str, Path], faults: list[str]) -> dict[str, Path]:
    """{case: folder of its label PNGs}."""
    labels: dict[str, Path] = {}
    for entry in visible(folder) if folder.is_dir() else []:
        name = normalize("NFC", entry.name)
        if not entry.is_dir():
            faults.append(
                f"{entry}: is a file where each case has a folder; move it to {folder}/<case>/<class>.png"
            )
        elif name not in images:
            faults.append(
                f"{entry}: labels for which there is no image {folder.parent}/images/{name}.png "
                "(or .jpg, .tif); add the image or remove the folder"
            )
        else:
            labels[name] = entry
    return labels


def read_rows(
    path: Path, images: Mapping[str, Path], faults: list[str]
) -> tuple[dict[str, dict[str, str]], bool]:
    """{case: row} of cases.csv, if there is one, and whether it has a column `split`."""
    if not path.exists():
        return {}, False
    sheet = read_sheet(path, required=["case"])
    columns = list(sheet[0]) if sheet else []
    for column in columns:
        for meant in difflib.get_close_matches(column.lower(), COLUMNS, 1, 0.8):
            # Passed over in silence, `patient_id` would let a patient into two splits.
            if meant not in columns:
                faults.append(f"{path}: column {column!r} looks like {meant!r}; rename or remove it")
    rows: dict[str, dict[str, str]] = {}
    for row in sheet:
        name = row["case"] = normalize("NFC", row["case"])
        if not name or "/" in name or "\\" in name:
            faults.append(f"{path}: {name!r} is no name of a case; write the image's name alone")
        elif name in rows:
            faults.append(f"{path}: has two rows for case {name!r}; remove one")
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
                f"{path}: order {row['order']!r} of case {name!r} is no whole number; write 1, 2, …"
            )
            row["order"] = ""
        rows.setdefault(name, row)
    return rows, "split" in columns
