"""What the images and labels of a data set hold: every file is opened before any training."""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from samcarry.data.cases import Case, label_files
from samcarry.data.contract import NO_CLASS_NAME, is_class_name, visible
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.images.grey import read_grey
from samcarry.images.masks import read_mask
from samcarry.storage.files import sha256


@dataclass(frozen=True)
class Contents:
    """What the labels of a data set hold.

    Attributes:
        classes: the classes, in the order asked for, else sorted by name.
        of_case: the classes that have any pixel, for each case that has labels.
    """

    classes: list[str]
    of_case: dict[str, set[str]]


def check_cases(
    cases: Sequence[Case],
    classes: Sequence[str] | None = None,
    *,
    window: tuple[float, float] | None = None,
    threads: int = 1,
) -> Contents:
    """Decode every image and label and tell which classes occur where.

    Labels of unlabelled cases, which only full supervision reads, are held to the same rules.

    Args:
        cases: as `find_cases` gives them.
        classes: the classes wanted, in their order; None takes those that occur in the labels of
            train, val and test, sorted.
        window: as in `read_grey`.
        threads: how many files are decoded at once.

    Raises:
        InputError: a line for each fault: an unreadable file, a label of another size than its
            image, a file that is no PNG among the labels, an unknown class, a class that occurs
            somewhere but in no label of train.
    """
    for name in classes or ():
        if list(classes or ()).count(name) > 1 or not is_class_name(name):
            raise InputError(f"classes: {name!r} is given twice or no name of a class; {NO_CLASS_NAME}")

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
            f"{cases[0].image.parent.parent / 'labels'}: no label of train, val and test has a "
            "single pixel; add labels/<case>/<class>.png"
        )
    return Contents(
        classes=sorted(found) if classes is None else list(classes),
        of_case={case.case: present for case, present in pairs if case.labels is not None},
    )


def digests_of(cases: Sequence[Case], *, threads: int = 1) -> dict[str, tuple[str, str]]:
    """{case: (digest of the image, digest of the labels)}, 16 hexadecimal digits each.

    They tell a file that was replaced even if the new one is as old and as large as the old one.
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
    """The classes that occur in one case, and its faults."""
    faults = []
    size = None
    try:
        size = read_grey(case.image, window).shape
    except InputError as error:
        faults.append(str(error))
    if case.labels is None:
        return set(), faults
    faults += [
        f"{file}: is no PNG; labels are {case.labels}/<class>.png: convert or remove it"
        for file in visible(case.labels)
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
                f"{file}: is {_size(mask.shape)}, its image {case.image} is {_size(size)} (width "
                "x height); export the label at the size of the image"
            )
        if mask.any():
            present.add(name)
    return present, faults


def _check_name(name: str, file: Path, classes: Sequence[str] | None) -> str:
    """What is wrong with the name of a class; '' if nothing."""
    if not is_class_name(name):
        return f"{file}: {NO_CLASS_NAME}; rename the file"
    if classes is not None and name not in classes:
        return f"{file}: class {name!r} is not among `classes`; add it there or remove the file"
    return ""


def _not_in_training(pairs: Iterable[tuple[Case, set[str]]]) -> list[str]:
    """A fault for each class that occurs somewhere, but in no label of train."""
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
        f"({shortlist([case.case for case in cases], 3)}) but in no label of train; label it in a "
        "training case or remove these files"
        for name, cases in sorted(elsewhere.items())
        if name not in in_training
    ]


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
