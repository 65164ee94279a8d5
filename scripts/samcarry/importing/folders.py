"""Images and annotation files in folders of the user: finding, naming and copying them."""

import filecmp
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from samcarry.data.contract import CASE_NAME_RULE, is_case_name
from samcarry.data.user_files import by_name, image_name, visible_files
from samcarry.errors import InputError
from samcarry.images import MOST_PIXELS
from samcarry.images.dicom import is_dicom, read_dicom


def find_image_files(folder: Path, faults: list[str]) -> dict[str, Path]:
    """{case: file} of all images in a folder and its subfolders.

    Two images with one name, links that lead out of the folder, and names that cannot be a case are faults.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; set the path of the images")
    files = []
    for file in visible_files(folder, faults):
        case = image_name(file)
        if case is None:
            continue
        if not is_case_name(case):
            faults.append(f"{file}: {CASE_NAME_RULE}; rename the file")
        elif not file.resolve().is_relative_to(folder.resolve()):
            faults.append(f"{file}: is a link that leads out of {folder}; copy the image there")
        else:
            files.append((case, file))
    return by_name(files, "image of case", faults)


def expand_folders(
    paths: Sequence[Path], suffixes: Sequence[str], excluded: Sequence[str], faults: list[str]
) -> Iterator[tuple[Path, str]]:
    """The given files, and the files with one of `suffixes` in the given folders, except `excluded` names.

    With each file comes its place below the given folder: 'patientA', or '.' if it is in the folder itself or
    was given as a file. A folder without such files, and links that lead out of a folder, are faults.
    """
    for path in map(Path, paths):
        if not path.is_dir():
            yield path, "."
            continue
        inside = [
            file
            for file in visible_files(path, faults)
            if file.name.lower().endswith(tuple(suffixes)) and file.name not in excluded
        ]
        if not inside:
            faults.append(f"{path}: holds no {' or '.join(suffixes)} file; set the path of the annotations")
        for file in inside:
            if file.resolve().is_relative_to(path.resolve()):
                yield file, file.parent.relative_to(path).as_posix()
            else:
                faults.append(f"{file}: is a link that leads out of {path}; copy the file there")


def copy_image(file: Path, target: Path, window: tuple[float, float] | None, *, link: bool = False) -> None:
    """Copy an image unchanged to `target` plus its suffix; of DICOM, copy only the grey values.

    DICOM becomes a 16-bit PNG, since its header may name people and dates.

    Args:
        file: the image.
        target: its new path without suffix.
        window: see `grey.read_grey`; if given, the DICOM file's own window is not applied, since readers of
            the copy apply this one.
        link: make a link instead of a copy, except of DICOM.

    Raises:
        InputError: it is DICOM that cannot be read.
    """
    if not is_dicom(file) and link:
        Path(f"{target}{file.suffix.lower()}").symlink_to(file.resolve())
        return
    if not is_dicom(file):
        shutil.copyfile(file, f"{target}{file.suffix.lower()}")
        return
    pixels = read_dicom(file, MOST_PIXELS, with_voi=window is None)
    share = (np.clip(pixels.values, pixels.low, pixels.high) - pixels.low) / (pixels.high - pixels.low)
    Image.fromarray(np.rint(share * 65535).astype(np.uint16)).save(f"{target}.png")


def keep_timestamps(new: Path, old: Path) -> None:
    """Give unchanged files the timestamps they had in `old`.

    So adding one image does not cause results of the other images to be made again.
    """
    for file in new.rglob("*"):
        before = old / file.relative_to(new)
        if file.is_file() and before.is_file() and filecmp.cmp(file, before, shallow=False):
            status = before.stat()
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
