"""Names of images and annotation files: what is in a folder, and nothing outside of it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from samcarry.errors import InputError
from samcarry.images import IMAGE_SUFFIXES
from samcarry.shapes import Annotation


def find_image_files(folder: Path, faults: list[str]) -> dict[str, Path]:
    """{case: file} of every image in a folder and its subfolders.

    Two of one name, links that lead out and names with blanks around them are faults.

    Raises:
        InputError: if there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; set the path of the images")
    files: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        case = normalize("NFC", file.stem)
        if file.suffix.lower() not in IMAGE_SUFFIXES or file.name.startswith(".") or file.is_dir():
            continue
        if case != case.strip() or not case.isprintable():
            faults.append(f"{file}: has blanks around its name or a character that does not print; rename it")
        elif not file.resolve().is_relative_to(folder.resolve()):
            faults.append(f"{file}: is a link that leads out of {folder}; copy the image there")
        elif case in files:
            faults.append(
                f"{file}: is a second image of case {case!r}, see {files[case]}; rename or remove one"
            )
        else:
            files[case] = file
    return files


def expand_folders(paths: Sequence[Path], others: Sequence[str], faults: list[str]) -> Iterator[Path]:
    """The .json files among files and folders, without those called as `others`."""
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        inside = [file for file in sorted(path.rglob("*.json")) if not file.name.startswith(".")]
        inside = [file for file in inside if file.name not in others]
        if not inside:
            faults.append(f"{path}: holds no .json file; set the path of the annotations")
        yield from inside


def case_of(annotation: Annotation, images: Path) -> str:
    """The name of an image without folder and suffix; what is outside of `images` is refused.

    Raises:
        InputError: if the name is absolute, leads out of `images`, or is none; behind the place.
    """
    text = normalize("NFC", annotation.name).replace("\\", "/")
    name = PurePosixPath(text)
    if not text.isprintable() or not name.name:
        raise InputError("is no name of a file; rename it")
    if name.is_absolute() or re.match("[A-Za-z]:", text):
        raise InputError(f"has an absolute path; write it as from {images}")
    # LabelMe writes names as from its own file, ../images/a.jpg for instance.
    if ".." in name.parts and not (annotation.source.parent / name).resolve().is_relative_to(
        images.resolve()
    ):
        raise InputError(f"has a path that leaves {images}; write it as from there")
    return name.stem if name.suffix.lower() in IMAGE_SUFFIXES else name.name
