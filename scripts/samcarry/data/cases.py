"""The door of a data set: which cases there are, and whose, and in which split.

A data set is a folder with

    images/<case>.png            grey radiograph (.png .jpg .jpeg .tif .tiff)
    labels/<case>/<class>.png    0 = not this class; no file = class absent; no folder = unlabelled
    cases.csv                    optional: case, patient, split, order
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from samcarry.data.contract import SPLITS, find_images, find_labels, read_rows, visible
from samcarry.errors import InputError, raise_faults, shortlist


@dataclass(frozen=True)
class Case:
    """One image and what is known of it.

    Attributes:
        case: its name, which is its image's name without the suffix.
        patient: whose it is; splits go by patient.
        split: one of SPLITS.
        order: the rank in which it enters the nested training subsets, if the user gave one.
        image: the image file.
        labels: the folder with a PNG for each class that is present; None if it has no labels. An
            unlabelled case may have some, which only full supervision may read.
    """

    case: str
    patient: str
    split: str
    order: int | None
    image: Path
    labels: Path | None


def find_cases(
    folder: str | Path,
    *,
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    seed: int = 0,
    patient_pattern: str | None = None,
    keep_unlabelled_of_test_patients: bool = False,
) -> tuple[list[Case], list[str]]:
    """Find the cases of a data set in the contract above; no image is opened.

    Where cases.csv has no column `split`, the labelled cases are split by patient: a hash of the
    patient's name and the seed decides, so that new cases never move old ones.

    Args:
        folder: the data set's folder.
        val_fraction: expected share of the labelled patients in val, 0..1, where hashed.
        test_fraction: likewise in test; both together below 1.
        seed: another seed splits otherwise.
        patient_pattern: regular expression with one group, which finds the patient in the name of
            a case where cases.csv does not say; None makes every case its own patient.
        keep_unlabelled_of_test_patients: keep unlabelled images of val and test patients.

    Returns:
        The cases in order of name, and warnings, a line each.

    Raises:
        InputError: a line for each fault: labels for no image, two images of one name, an unknown
            split, a patient in two splits, no labelled training case, and so on.
    """
    folder = Path(folder)
    pattern = _checked_settings(val_fraction, test_fraction, patient_pattern)
    faults: list[str] = []
    warnings: list[str] = []
    images = find_images(folder / "images", faults, warnings)
    labels = find_labels(folder / "labels", images, faults)
    rows, splits_are_named = read_rows(folder / "cases.csv", images, faults)

    cases = []
    for name, image in sorted(images.items()):
        row = rows.get(name, {})
        patient = row.get("patient") or _patient_of(name, pattern, image, faults)
        split = row.get("split", "")
        if not split and name not in labels:
            split = "unlabelled"
        elif not split and splits_are_named:
            # A guess here could put a test image into training.
            faults.append(
                f"{folder / 'cases.csv'}: gives no split for the labelled case {name!r}; "
                "write train, val, test or unlabelled"
            )
        elif not split:
            split = _hashed_split(patient, val_fraction, test_fraction, seed)
        order = int(float(row["order"])) if row.get("order") else None
        cases.append(Case(name, patient, split, order, image, labels.get(name)))

    faults += _judge_splits(folder, cases)
    raise_faults(faults)
    if not keep_unlabelled_of_test_patients:
        cases = _without_unlabelled_of_test_patients(folder, cases, warnings)
    for split in ("val", "test"):
        if not any(case.split == split for case in cases):
            warnings.append(
                f"{folder}: no case is in {split}; name some in cases.csv, or choose another seed "
                "or a greater fraction"
            )
    return cases, warnings


def label_files(case: Case) -> dict[str, Path]:
    """The label files of a case as {class: PNG}, sorted by class; empty if it has no labels."""
    if case.labels is None:
        return {}
    files = (file for file in visible(case.labels) if file.suffix.lower() == ".png")
    return dict(sorted((normalize("NFC", file.stem), file) for file in files))


def fraction_of(text: str) -> float:
    """A number from 0 to 1 that depends on `text` alone, evenly spread over many texts."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def _checked_settings(
    val_fraction: float, test_fraction: float, patient_pattern: str | None
) -> re.Pattern[str] | None:
    """Judge the settings; compile the pattern."""
    if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
        raise InputError(
            f"val_fraction {val_fraction} and test_fraction {test_fraction}: must not be negative "
            "and must leave something for training; together less than 1"
        )
    if patient_pattern is None:
        return None
    try:
        pattern = re.compile(patient_pattern)
    except re.error as error:
        raise InputError(
            f"patient_pattern {patient_pattern!r}: is not a regular expression ({error}); mend it"
        ) from None
    if pattern.groups != 1:
        raise InputError(
            f"patient_pattern {patient_pattern!r}: has {pattern.groups} groups; put one pair of "
            "parentheses around the patient's part of the name"
        )
    return pattern


def _patient_of(name: str, pattern: re.Pattern[str] | None, image: Path, faults: list[str]) -> str:
    """The patient as the name of the case tells."""
    if pattern is None:
        return name
    match = pattern.search(name)
    if match and match[1]:
        return match[1]
    faults.append(
        f"{image}: patient_pattern {pattern.pattern!r} finds no patient in the name; "
        "mend the pattern or name the patient in cases.csv"
    )
    return name


def _hashed_split(patient: str, val_fraction: float, test_fraction: float, seed: int) -> str:
    """The split of a labelled patient."""
    place = fraction_of(f"split:{seed}:{patient}")
    if place < test_fraction:
        return "test"
    return "val" if place < test_fraction + val_fraction else "train"


def _judge_splits(folder: Path, cases: Iterable[Case]) -> list[str]:
    """What is wrong with the splits as a whole."""
    faults = []
    splits_of: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        if case.split == "unlabelled" or case.split not in SPLITS:
            continue
        splits_of[case.patient][case.split].append(case.case)
        if case.labels is None:
            faults.append(
                f"{folder / 'cases.csv'}: case {case.case!r} is in {case.split} but has no folder "
                f"{folder}/labels/{case.case}; move it to unlabelled, or make the folder (left "
                "empty if no class is present)"
            )
    for patient, splits in splits_of.items():
        if len(splits) > 1:
            places = " and ".join(f"{split} ({shortlist(n, 3)})" for split, n in splits.items())
            faults.append(
                f"{folder / 'cases.csv'}: patient {patient!r} is in {places}; put all images of a "
                "patient into one split"
            )
    if not any(case.split == "train" and case.labels for case in cases):
        faults.append(
            f"{folder}: no labelled case is in train; add labels/<case>/<class>.png, or choose "
            "another seed or smaller fractions for val and test"
        )
    return faults


def _without_unlabelled_of_test_patients(folder: Path, cases: list[Case], warnings: list[str]) -> list[Case]:
    """Leave out the unlabelled images of val and test patients, with a warning."""
    held_out = {case.patient for case in cases if case.split in ("val", "test")}
    dropped = {case.case: None for case in cases if case.split == "unlabelled" and case.patient in held_out}
    if dropped:
        warnings.append(
            f"{folder}: left out {len(dropped)} unlabelled images of val or test patients "
            f"({shortlist(list(dropped))}); keep_unlabelled_of_test_patients "
            "keeps them"
        )
    return [case for case in cases if case.case not in dropped]
