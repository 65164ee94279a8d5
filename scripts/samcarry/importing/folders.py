"""Images and annotation files: what is in a folder, and nothing outside of it."""

import filecmp
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from unicodedata import normalize

import numpy as np
from PIL import Image

from samcarry.data.contract import NO_CASE_NAME, is_case_name
from samcarry.errors import InputError
from samcarry.formats.shapes import Annotation
from samcarry.images import IMAGE_SUFFIXES, MOST_PIXELS
from samcarry.images.dicom import is_dicom, read_dicom


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
        if not is_case_name(case):
            faults.append(f"{file}: {NO_CASE_NAME}")
        elif not file.resolve().is_relative_to(folder.resolve()):
            faults.append(f"{file}: is a link that leads out of {folder}; copy the image there")
        elif case in files:
            faults.append(
                f"{file}: is a second image of case {case!r}, see {files[case]}; rename or remove one"
            )
        else:
            files[case] = file
    return files


def expand_folders(
    paths: Sequence[Path], suffixes: Sequence[str], others: Sequence[str], faults: list[str]
) -> Iterator[Path]:
    """The files of some suffixes among files and folders, without those called as `others`.

    A folder without any, and links that lead out of it, are faults.
    """
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        inside = [
            file
            for file in sorted(path.rglob("*"))
            if file.name.lower().endswith(tuple(suffixes))
            and not file.name.startswith(".")
            and file.name not in others
        ]
        if not inside:
            faults.append(f"{path}: holds no {' or '.join(suffixes)} file; set the path of the annotations")
        for file in inside:
            if file.resolve().is_relative_to(path.resolve()):
                yield file
            else:
                faults.append(f"{file}: is a link that leads out of {path}; copy the file there")


def copy_image(file: Path, target: Path, window: tuple[float, float] | None) -> None:
    """Copy an image to `target` plus its suffix, as it is.

    Of DICOM the grey values alone are copied, to a 16-bit PNG: its header may name people and dates.

    Args:
        file: the image.
        target: its new path without suffix.
        window: see `images.read_grey`; where there is one, it is left to those who read the copy.

    Raises:
        InputError: if it is DICOM that cannot be read.
    """
    if not is_dicom(file):
        shutil.copyfile(file, f"{target}{file.suffix.lower()}")
        return
    pixels = read_dicom(file, MOST_PIXELS, with_voi=window is None)
    share = (np.clip(pixels.values, pixels.low, pixels.high) - pixels.low) / (pixels.high - pixels.low)
    Image.fromarray(np.rint(share * 65535).astype(np.uint16)).save(f"{target}.png")


def keep_times(new: Path, old: Path) -> None:
    """Give files of `new` the times of those of `old` that have the same place and content.

    So what was made of them is not made again because a single image joined them.
    """
    for file in new.rglob("*"):
        before = old / file.relative_to(new)
        if file.is_file() and before.is_file() and filecmp.cmp(file, before, shallow=False):
            about = before.stat()
            os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


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
