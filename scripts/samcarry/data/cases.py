"""The cases of a data set: their images, labels, patients and splits.

A data set is a folder with

    images/<case>.png            grey radiograph (.png .jpg .jpeg .tif .tiff .dcm .dicom)
    labels/<case>/<class>.png    0 = not this class; no file = class absent; no folder = unlabelled
    cases.csv                    optional; columns case, patient, split, order, spacing, group (or site)
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from samcarry.data.contract import LABELLED_SPLITS, find_images, find_labels, read_rows
from samcarry.data.patients import Placed, one_spelling, patients_in_names, similar_patients
from samcarry.errors import AboutSettings, InputError, first_lines, raise_faults, shortlist
from samcarry.storage.sheets import read_sheet

_EVERY_CASE = "^(.+)$"
"""The pattern with which every case is a patient of its own, said on purpose."""


@dataclass(frozen=True)
class Case:
    """One image with its patient, split and labels.

    Attributes:
        case: name of the case, the image's file name without its suffix.
        patient: name of the patient, in one spelling; all cases of a patient are in one split.
        split: one of `contract.SPLITS`.
        order: rank at which the case joins the nested labelled subsets, if the user gave one.
        image: the image file.
        labels: the folder with one PNG per present class; None if the case has no labels. An unlabelled
            case may have hidden labels.
        spacing: mm per pixel as in cases.csv, see `contract.parse_spacing`; '' if it does not say.
        group: the group that the case belongs to, for tables by group; '' if cases.csv does not say.
    """

    case: str
    patient: str
    split: str
    order: int | None
    image: Path
    labels: Path | None
    spacing: str = ""
    group: str = ""


def find_cases(
    folder: str | Path,
    *,
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    seed: int = 0,
    patient_pattern: str | None = None,
    keep_unlabelled_of_test_patients: bool = False,
    similar_patients: str = "warn",
    labels_follow: bool = False,
) -> tuple[list[Case], list[str]]:
    """The cases of a data set with the folder layout above; no image is opened.

    Without a column `split` in cases.csv, labelled cases are split by patient. A hash of the patient's
    name and the seed decides, so that new cases never change the splits of old ones.

    Args:
        folder: the data set's folder.
        val_fraction: expected share of labelled patients that the hash puts into val, 0..1.
        test_fraction: the same for test; both together must be below 1.
        seed: seed of the hash; another seed gives another split.
        patient_pattern: regular expression with one group that matches the patient in the name of a
            case, used if cases.csv does not name the patient; None makes every case its own patient.
        keep_unlabelled_of_test_patients: keep unlabelled images of val and test patients.
        similar_patients: 'warn' or 'refuse' if patients in different splits have similar names, such as 0012
            and 12, or 'ignore' that.
        labels_follow: no case needs labels yet, because the first ones are being added.

    Returns:
        The cases sorted by name, and warnings, one line each.

    Raises:
        InputError: one line per fault, for example labels without an image, two images of one name, an
            unknown split, a patient in two splits or no labelled training case.
    """
    folder = Path(folder)
    pattern = _check_settings(val_fraction, test_fraction, patient_pattern)
    faults: list[str] = []
    warnings: list[str] = []
    images = find_images(folder / "images", faults, warnings)
    if not images:  # every label and row would be a fault as well
        if (folder / "cases.csv").exists():
            try:
                read_sheet(folder / "cases.csv", required=["case"])
            except InputError as error:
                faults += str(error).splitlines()
        raise_faults(faults)
    labels = find_labels(folder / "labels", images, faults)
    rows: dict[str, dict[str, str]] = {}
    splits_are_named = False
    try:
        rows, splits_are_named = read_rows(folder / "cases.csv", images, faults)
    except InputError as error:
        faults += str(error).splitlines()
        raise_faults(faults)  # without its splits and patients, nothing else can be said

    cases = []
    for name, image in sorted(images.items()):
        row = rows.get(name, {})
        patient = row.get("patient") or _patient_of(name, pattern, image, faults)
        split = row.get("split", "")
        if not split and name not in labels:
            split = "unlabelled"
        elif not split and splits_are_named:
            # A guess could put a test image into training.
            faults.append(
                f"{folder / 'cases.csv'}: has no split for the labelled case {name!r}; "
                "write train, val, test or unlabelled"
            )
        elif not split:
            split = hashed_split(patient, val_fraction, test_fraction, seed)
        order = int(float(row["order"])) if row.get("order") else None
        group = row.get("group") or row.get("site", "")
        notes = (row.get("spacing", ""), group)
        cases.append(Case(name, patient, split, order, image, labels.get(name), *notes))

    written = {case.case: case.patient for case in cases}
    spelling = one_spelling(written.values())
    cases = [replace(case, patient=spelling[case.patient]) for case in cases]
    faults += _check_splits(folder, cases, written, labels_follow)
    raise_faults(faults)
    if not keep_unlabelled_of_test_patients:
        cases = _without_unlabelled_of_test_patients(folder, cases, warnings)
    placed = [
        Placed(case.case, case.patient, case.split)
        for case in cases
        if case.split != "unlabelled" or not keep_unlabelled_of_test_patients
    ]
    similar = _similar_patients(folder, placed, similar_patients)
    raise_faults(similar if similar_patients == "refuse" else [])
    warnings += similar
    unnamed = {case for case in images if not rows.get(case, {}).get("patient")}
    if pattern is None:
        warnings += _patients_in_names(folder, placed)
        if unnamed and len(unnamed) < len(images):
            warnings.append(
                f"{folder / 'cases.csv'}: has no patient for {len(unnamed)} of {len(images)} cases "
                f"({shortlist(sorted(unnamed), 3)}), so each counts as a patient of its own; name them"
            )
    elif pattern.pattern != _EVERY_CASE and len({case.patient for case in placed}) == len(placed):
        # It may have found the number of the image.
        warnings += _patients_in_names(
            folder, [replace(case, patient=case.case) for case in placed if case.case in unnamed]
        )
    for split in ("val", "test"):
        if not labels_follow and not any(case.split == split for case in cases):
            warnings.append(
                f"{folder}: no case is in {split}; assign some in cases.csv, or choose another seed "
                "or a larger fraction"
            )
    return cases, warnings


def hash_fraction(text: str) -> float:
    """A number from 0 to 1 that depends only on `text`, evenly distributed over many texts."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def _check_settings(
    val_fraction: float, test_fraction: float, patient_pattern: str | None
) -> re.Pattern[str] | None:
    """The compiled patient pattern, after checking all settings."""
    if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
        raise InputError(
            f"val_fraction {val_fraction} and test_fraction {test_fraction}: neither may be negative, and "
            "both together must be less than 1, so that cases remain for training; choose smaller fractions"
        )
    if patient_pattern is None:
        return None
    try:
        pattern = re.compile(patient_pattern)
    except re.error as error:
        raise InputError(
            f"patient_pattern {patient_pattern!r}: is not a valid regular expression ({error}); correct it"
        ) from None
    if pattern.groups != 1:
        raise InputError(
            f"patient_pattern {patient_pattern!r}: has {pattern.groups} groups instead of one; put one pair "
            "of parentheses around the part of the name that is the patient"
        )
    return pattern


def _patient_of(name: str, pattern: re.Pattern[str] | None, image: Path, faults: list[str]) -> str:
    """The patient in the name of a case; the name itself without a pattern or a match."""
    if pattern is None:
        return name
    match = pattern.search(name)
    if match and match[1]:
        return match[1]
    faults.append(
        f"{image}: patient_pattern {pattern.pattern!r} finds no patient in the name; "
        "correct the pattern or add the patient to cases.csv"
    )
    return name


def hashed_split(patient: str, val_fraction: float, test_fraction: float, seed: int) -> str:
    """The split that the hash gives a labelled patient."""
    place = hash_fraction(f"split:{seed}:{patient}")
    if place < test_fraction:
        return "test"
    return "val" if place < test_fraction + val_fraction else "train"


def _check_splits(
    folder: Path, cases: Iterable[Case], written: Mapping[str, str], labels_follow: bool
) -> list[str]:
    """Faults of the splits: no labels, a patient in two splits, no labelled training case.

    Args:
        folder: the data set's folder.
        cases: the cases.
        written: {case: its patient as it is written}.
        labels_follow: no training case needs labels yet.
    """
    faults = []
    splits_of: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        if case.split not in LABELLED_SPLITS:
            continue
        other = "" if written[case.case] == case.patient else f", written {written[case.case]!r}"
        splits_of[case.patient][case.split].append(f"{case.case}{other}")
        if case.labels is None:
            faults.append(
                f"{folder / 'cases.csv'}: case {case.case!r} is in {case.split} but has no folder "
                f"{folder}/labels/{case.case}; change its split to unlabelled, or create the folder "
                "(empty if no class is present)"
            )
    for patient, splits in splits_of.items():
        if len(splits) > 1:
            found = " and ".join(f"{split} ({shortlist(n, 3)})" for split, n in splits.items())
            faults.append(
                f"{folder / 'cases.csv'}: patient {patient!r} is in {found}; put all images of a patient "
                "into one split"
            )
    if not labels_follow and not any(case.split == "train" and case.labels for case in cases):
        faults.append(
            f"{folder}: no labelled case is in train; add labels/<case>/<class>.png, or choose "
            "another seed or smaller fractions for val and test"
        )
    return faults


def _similar_patients(folder: Path, cases: Iterable[Placed], what: str) -> list[str]:
    """One line for each two patients in different splits whose names are similar."""
    if what == "ignore":
        return []
    # A case without a patient has its own name instead.
    named = [case for case in cases if case.patient != case.case]
    lines = [
        f"{folder / 'cases.csv'}: patients {one.patient!r} ({one.case} in {one.split}) and {other.patient!r} "
        f"({other.case} in {other.split}) may be one patient: if so, write the name in one way; if not, set "
        "`similar_patients: ignore` under `splits`"
        for one, other in similar_patients(named)
    ]
    return first_lines(lines)


def _patients_in_names(folder: Path, cases: Iterable[Placed]) -> list[str]:
    """A line if the names of cases without a patient look as if one patient were in two splits."""
    found = patients_in_names([case for case in cases if case.patient == case.case])
    if not found:
        return []
    pattern, leaks = found
    one, other = leaks[0]
    more = f", and so may those of {len(leaks) - 1} more" if len(leaks) > 1 else ""
    line = (
        f"{folder}: {one.case} (in {one.split}) and {other.case} (in {other.split}) may be images of one "
        f"patient{more}: set `patient_pattern: '{pattern}'` under `splits`, or name the patients in "
        f"cases.csv; if every image is of another patient, set `patient_pattern: '{_EVERY_CASE}'`"
    )
    return [AboutSettings(line)]


def _without_unlabelled_of_test_patients(folder: Path, cases: list[Case], warnings: list[str]) -> list[Case]:
    """The cases without unlabelled images of val and test patients, which are named in a warning."""
    held_out = {case.patient for case in cases if case.split in ("val", "test")}
    dropped = {case.case: None for case in cases if case.split == "unlabelled" and case.patient in held_out}
    if dropped:
        warnings.append(
            f"{folder}: left out {len(dropped)} unlabelled images of val or test patients "
            f"({shortlist(list(dropped))}); set keep_unlabelled_of_test_patients to keep them"
        )
    return [case for case in cases if case.case not in dropped]
