"""A copy of a data set in which pseudonyms replace the names of cases and patients.

A pseudonym is a keyed hash (HMAC-SHA256) of a name. The same key gives the same name the same pseudonym, so
cases that are added later match. Without the key, nobody can compute or test pseudonyms.
"""

import base64
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.data.case_table import Row, write_case_rows
from samcarry.data.cases import Case, find_cases
from samcarry.data.contract import MIRRORED, mirrored_cases, read_rows
from samcarry.data.patients import patient_key
from samcarry.data.user_files import find_label_files
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.images.dicom import burned_in_code, dicom_spacing, is_dicom
from samcarry.images.grey import as_grey, grey_values, has_16_bits, is_white_zero, open_image, upright
from samcarry.images.masks import read_mask, write_mask
from samcarry.images.text import fill_text, find_text
from samcarry.importing.folders import copy_image
from samcarry.storage.files import atomic
from samcarry.storage.tables import write_table

_LEAST_KEY_BYTES = 16
_PSEUDONYM_BYTES = 10  # 80 bits: among a million names, two equal ones have a probability of 1e-12


def pseudonymise(
    folder: str | Path,
    destination: str | Path,
    key: bytes,
    *,
    window: tuple[float, float] | None = None,
    patient_pattern: str | None = None,
    text: str = "refuse",
) -> tuple[dict[str, str], list[str]]:
    """Write a data set with pseudonyms for cases and patients, atomically; no header of an image is copied.

    Images become PNG files with the same grey values, upright; those of DICOM are as in an import, and their
    size of a pixel moves to the column `spacing`. Of cases.csv, the columns split, spacing, group and
    mirrored are kept, and ranks replace the numbers in the column order. Names of classes and groups are
    unchanged. So are the pixels, unless text is filled. Rows and files are written in the order of the
    pseudonyms, so that they and the times of files do not show the order of the names.

    Args:
        folder: the data set's folder, see `samcarry.data.cases`.
        destination: the new folder, which must not exist.
        key: the secret, see `read_key`.
        window: as for `grey.read_grey`, if DICOM images are to be read with one.
        patient_pattern: see `find_cases`; the patients in names can no longer be found in the new data set.
        text: what to do with images that have lines of text near the borders: 'refuse', 'fill' or 'keep'.

    Returns:
        {name of a case: its pseudonym}, and warnings, one line each.

    Raises:
        InputError: one line for each fault of the data set, `destination` exists or is inside `folder`, or
            there is text near the borders of images and `text` is 'refuse'.
    """
    folder, destination = Path(folder), Path(destination)
    if destination.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{destination}: is inside {folder}, which has the names; choose a folder elsewhere")
    if destination.exists():
        raise InputError(f"{destination}: exists already; remove it, or choose another folder")
    cases, warnings = find_cases(
        folder,
        patient_pattern=patient_pattern,
        keep_unlabelled_of_test_patients=True,
        similar_patients="ignore",
        labels_follow=True,
    )
    _, splits_are_named = read_rows(folder / "cases.csv", {case.case: case.image for case in cases}, [])
    mirrored = mirrored_cases(folder)
    names = {case.case: pseudonym(key, "case", case.case) for case in cases}
    orders = sorted({case.order for case in cases if case.order is not None})
    ranks = {order: rank for rank, order in enumerate(orders, start=1)}
    faults: list[str] = []
    rows: list[Row] = []
    texts: list[str] = []
    with atomic(destination, replace=False) as private:
        (private / "images").mkdir(parents=True)
        for case in sorted(cases, key=lambda case: names[case.case]):
            try:
                _copy_case(case, private, names[case.case], window, faults)
                if _has_text(private / "images" / f"{names[case.case]}.png", fill=text == "fill"):
                    texts.append(case.case)
                spacing = case.spacing or _spacing_of(case.image)
            except InputError as error:
                faults += str(error).splitlines()
                continue
            patient = pseudonym(key, "patient", patient_key(case.patient))
            rows.append(
                {
                    "case": names[case.case],
                    "patient": patient,
                    "split": case.split if splits_are_named else "",
                    "order": "" if case.order is None else str(ranks[case.order]),
                    "spacing": spacing,
                    "group": case.group,
                    MIRRORED: "1" if case.case in mirrored else "",
                }
            )
        texts.sort()
        if texts and text == "refuse":
            faults.append(
                f"{folder}: {len(texts)} images have lines of text near the borders: {shortlist(texts)}; "
                "look at them with `samcarry text`, then add --text fill or --text keep"
            )
        raise_faults(faults)
        write_case_rows(private / "cases.csv", rows, dict.fromkeys(names.values(), ""), [MIRRORED])
    if texts:
        done = "filled" if text == "fill" else "kept"
        warnings.append(f"{folder}: lines of text near the borders are {done}: {shortlist(texts)}")
    burned = [case.case for case in cases if burned_in_code(case.image) == "YES"]
    if unseen := [case for case in burned if text != "fill" or case not in texts]:
        warnings.append(
            f"{folder}: DICOM headers say that text is part of the pixels, which are copied unchanged: "
            f"{shortlist(unseen)}; look at these images before you share them"
        )
    return names, warnings


def pseudonym(key: bytes, kind: str, name: str) -> str:
    """The pseudonym of a name: 16 lower-case letters and digits. `kind` keeps cases and patients apart."""
    digest = hmac.digest(key, f"{kind}:{name}".encode(), "sha256")
    return base64.b32encode(digest[:_PSEUDONYM_BYTES]).decode().lower()


def read_key(path: str | Path) -> tuple[bytes, bool]:
    """The secret in a file, and whether it is new: without a file, a random one is made, for its owner only.

    Raises:
        InputError: the file is a folder, or too short for a secret.
    """
    path = Path(path)
    if not path.exists():
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileNotFoundError:
            raise InputError(
                f"{path.parent}: no such folder; create it, or choose another key file"
            ) from None
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(32) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        return path.read_bytes().strip(), True
    key = path.read_bytes().strip() if path.is_file() else b""
    if len(key) < _LEAST_KEY_BYTES:
        raise InputError(
            f"{path}: is not a key of at least {_LEAST_KEY_BYTES} bytes; name a file that does not "
            "exist, and a key is made there"
        )
    return key, False


def write_names(path: str | Path, names: Mapping[str, str]) -> None:
    """Write the names of cases and their pseudonyms as CSV that only its owner can read, atomically."""
    before = os.umask(0o077)
    try:
        write_table(path, ("case", "pseudonym"), names.items())
    finally:
        os.umask(before)


def _copy_case(
    case: Case, folder: Path, name: str, window: tuple[float, float] | None, faults: list[str]
) -> None:
    """Write image and labels of a case under another name."""
    target = folder / "images" / name
    if is_dicom(case.image):
        copy_image(case.image, target, window)
    else:
        Image.fromarray(_grey_values(case.image)).save(f"{target}.png")
    if case.labels is None:
        return
    (folder / "labels" / name).mkdir(parents=True)
    for of_class, file in find_label_files(case.labels, faults).items():
        write_mask(folder / "labels" / name / f"{of_class}.png", read_mask(file))


def _has_text(file: Path, *, fill: bool) -> bool:
    """Whether a PNG has lines of text near its borders; they are filled, if asked."""
    values = np.asarray(Image.open(file))
    boxes = find_text(as_grey(values, (0, 100), file))
    if boxes and fill:
        Image.fromarray(fill_text(values, boxes)).save(file)
    return bool(boxes)


def _grey_values(file: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The grey values (height, width) of a PNG, JPEG or TIFF, upright, with all their bits.

    Raises:
        InputError: the file cannot be read, or its grey values are not integers from 0 to 65535.
    """
    with open_image(file) as image:
        image.load()
        inverted = is_white_zero(image)
        values = grey_values(upright(image))
    if values.dtype == np.uint8:
        return values
    if not has_16_bits(values):
        raise InputError(
            f"{file}: its grey values are not integers from 0 to 65535; save it with 8 or 16 bits"
        )
    grey = values.astype(np.uint16)
    return 65535 - grey if inverted else grey


def _spacing_of(image: Path) -> str:
    """The size of a pixel in a DICOM header as in cases.csv; '' if nothing is known."""
    found = dicom_spacing(image) if is_dicom(image) else None
    return "" if found is None else f"{found[0]} {found[1]}"
