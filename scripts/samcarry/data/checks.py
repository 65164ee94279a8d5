"""Checks of a data set's images and labels: every file is opened before training starts."""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from samcarry.data.cases import Case, label_files
from samcarry.data.contract import CLASS_NAME_RULE, is_class_name, visible_entries
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.images.grey import read_grey
from samcarry.images.masks import read_mask
from samcarry.storage.files import sha256


@dataclass(frozen=True)
class PresentClasses:
    """The classes that occur in the labels of a data set.

    Attributes:
        classes: all classes, in the requested order or else sorted by name.
        of_case: {case: the classes with at least one pixel}, for each case that has labels.
    """

    classes: list[str]
    of_case: dict[str, set[str]]


def check_cases(
    cases: Sequence[Case],
    classes: Sequence[str] | None = None,
    *,
    window: tuple[float, float] | None = None,
    threads: int = 1,
) -> PresentClasses:
    """The classes that occur in each case, after every image and label was decoded and checked.

    Hidden labels of unlabelled cases are checked by the same rules.

    Args:
        cases: the cases, as `find_cases` returns them.
        classes: the requested classes in their order; None takes all classes that occur in labels of
            train, val and test, sorted.
        window: as in `read_grey`.
        threads: how many cases are decoded in parallel.

    Raises:
        InputError: one line per fault: an unreadable file, a label whose size differs from its image, a
            file among the labels that is not a PNG, an unknown class, or a class that occurs in other
            splits but not in train.
    """
    requested = list(classes or ())
    for name in requested:
        if requested.count(name) > 1:
            raise InputError(f"classes: {name!r} is listed twice; remove one of them")
        if not is_class_name(name):
            raise InputError(f"classes: {name!r} is not a valid name; {CLASS_NAME_RULE}; rename the class")

    def check(case: Case) -> tuple[set[str], list[str]]:
        return _check_case(case, classes, window)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        results = list(pool.map(check, cases))
    faults = [fault for _, faults_of_case in results for fault in faults_of_case]
    pairs = list(zip(cases, (present for present, _ in results), strict=True))
    raise_faults(faults + _not_in_training(pairs))
    found = {name for case, present in pairs if case.split != "unlabelled" for name in present}
    if not found:
        raise InputError(
            f"{cases[0].image.parent.parent / 'labels'}: all labels of train, val and test are empty (not a "
            "single pixel above 0); add labels/<case>/<class>.png"
        )
    return PresentClasses(
        classes=sorted(found) if classes is None else list(classes),
        of_case={case.case: present for case, present in pairs if case.labels is not None},
    )


def digests_of(cases: Sequence[Case], *, threads: int = 1) -> dict[str, tuple[str, str]]:
    """Digests of the files of each case as {case: (image, labels)}, 16 hexadecimal digits each.

    A replaced file gets another digest even if its size and modification time are unchanged.
    """

    def digests(case: Case) -> tuple[str, str]:
        labels = hashlib.sha256()
        for name, file in label_files(case).items():
            labels.update(f"{name} {sha256(file)}\n".encode())
        return sha256(case.image)[:16], labels.hexdigest()[:16]

    with ThreadPoolExecutor(max(1, threads)) as pool:
        found = list(pool.map(digests, cases))
    return {case.case: both for case, both in zip(cases, found, strict=True)}


def _check_case(
    case: Case, classes: Sequence[str] | None, window: tuple[float, float] | None
) -> tuple[set[str], list[str]]:
    """The classes that occur in one case, and the faults of its files."""
    faults = []
    size = None
    try:
        size = read_grey(case.image, window).shape
    except InputError as error:
        faults.append(str(error))
    if case.labels is None:
        return set(), faults
    faults += [
        f"{file}: is not a PNG file, but labels must be {case.labels}/<class>.png; convert or remove it"
        for file in visible_entries(case.labels)
        if file.suffix.lower() != ".png" or file.is_dir()
    ]
    present = set()
    for name, file in label_files(case).items():
        if fault := _check_name(name, file, classes):
            faults.append(fault)
            continue
        try:
            mask = read_mask(file)
        except InputError as error:
            faults.append(str(error))
            continue
        if size is not None and mask.shape != size:
            faults.append(
                f"{file}: is {_format_size(mask.shape)} pixels, but its image {case.image} is "
                f"{_format_size(size)} (width x height); export the label at the size of the image"
            )
        if mask.any():
            present.add(name)
    return present, faults


def _check_name(name: str, file: Path, classes: Sequence[str] | None) -> str:
    """The fault of a label file's class name, '' if there is none."""
    if not is_class_name(name):
        return f"{file}: {CLASS_NAME_RULE}; rename the file"
    if classes is not None and name not in classes:
        return f"{file}: class {name!r} is not listed in `classes`; add it there or remove the file"
    return ""


def _not_in_training(pairs: Iterable[tuple[Case, set[str]]]) -> list[str]:
    """One fault for each class that occurs in other splits but not in train."""
    in_training: set[str] = set()
    elsewhere: dict[str, list[Case]] = {}
    for case, present in pairs:
        for name in present:
            if case.split == "train":
                in_training.add(name)
            else:
                elsewhere.setdefault(name, []).append(case)
    return [
        f"{label_files(cases[0])[name]}: class {name!r} occurs in {cases[0].split} "
        f"({shortlist([case.case for case in cases], 3)}) but in no label of train; label it in a training "
        "case or remove these files"
        for name, cases in sorted(elsewhere.items())
        if name not in in_training
    ]


def _format_size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
