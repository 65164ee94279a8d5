"""Checks of a data set's images and labels: every file is opened before training starts."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.data.cases import Case
from samcarry.data.contract import CLASS_NAME_RULE, is_class_name
from samcarry.data.duplicates import Appearance, appearance_of
from samcarry.data.image_digests import image_digest
from samcarry.data.label_masks import labels_digest
from samcarry.data.oddities import Look, MaskLook
from samcarry.data.user_files import by_name, find_label_files
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.images.grey import is_turned, read_grey
from samcarry.images.masks import read_mask_values
from samcarry.images.text import find_text


@dataclass(frozen=True)
class Contents:
    """What images and labels of a data set show.

    Attributes:
        classes: all classes, in the requested order or else sorted by name.
        of_case: {case: the classes with at least one pixel}, for each case that has labels.
        appearances: {case: how its image looks}.
        looks: {case: size and grey values of its image, and how much of it each mask covers}.
    """

    classes: list[str]
    of_case: dict[str, set[str]]
    appearances: dict[str, Appearance]
    looks: dict[str, Look]


@dataclass
class _Checked:
    """What the files of one case show, and their faults."""

    present: set[str] = field(default_factory=set)
    appearance: Appearance | None = None
    look: Look | None = None
    faults: list[str] = field(default_factory=list)


def check_cases(
    cases: Sequence[Case],
    classes: Sequence[str] | None = None,
    *,
    window: tuple[float, float] | None = None,
    look_for_text: bool = False,
    threads: int = 1,
) -> Contents:
    """What images and labels of the cases show, after every image and label was decoded and checked.

    Hidden labels of unlabelled cases are checked by the same rules.

    Args:
        cases: the cases, as `find_cases` returns them.
        classes: the requested classes in their order; None takes all classes that occur in labels of
            train, val and test, sorted.
        window: as in `read_grey`.
        look_for_text: find lines of text in images, which takes longer than to read them.
        threads: how many cases are decoded in parallel.

    Raises:
        InputError: one line per fault: an unreadable file, a label whose size differs from its image, a
            file among the labels that is not a PNG, two files of one class, an unknown class, two classes
            whose names differ only in upper and lower case, or a class that occurs in other splits but not
            in train.
    """
    requested = list(classes or ())
    for name in requested:
        if requested.count(name) > 1:
            raise InputError(f"classes: {name!r} is listed twice; remove one of them")
        if not is_class_name(name):
            raise InputError(f"classes: {name!r} is not a valid name; {CLASS_NAME_RULE}; rename the class")

    faults: list[str] = []
    files = {case.case: find_label_files(case.labels, faults) for case in cases if case.labels}
    by_name({n: file for of in files.values() for n, file in of.items()}.items(), "spelling of class", faults)

    def check(case: Case) -> _Checked:
        return _check_case(case, files.get(case.case, {}), classes, window, look_for_text)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        results = list(pool.map(check, cases))
    faults += [fault for checked in results for fault in checked.faults]
    pairs = [(case, checked.present) for case, checked in zip(cases, results, strict=True)]
    raise_faults(faults + _not_in_training(pairs, files))
    found = {name for case, present in pairs if case.split != "unlabelled" for name in present}
    if not found:
        raise InputError(
            f"{cases[0].image.parent.parent / 'labels'}: all labels of train, val and test are empty (not a "
            "single pixel above 0); add labels/<case>/<class>.png"
        )
    return Contents(
        classes=sorted(found) if classes is None else list(classes),
        of_case={case.case: present for case, present in pairs if case.labels is not None},
        appearances={c.case: r.appearance for c, r in zip(cases, results, strict=True) if r.appearance},
        looks={c.case: r.look for c, r in zip(cases, results, strict=True) if r.look},
    )


def digests_of(cases: Sequence[Case], *, threads: int = 1) -> dict[str, tuple[str, str]]:
    """Digests of the files of each case as {case: (image, labels)}, 16 hexadecimal digits each.

    A replaced file gets another digest even if its size and modification time are unchanged.
    """

    def digests(case: Case) -> tuple[str, str]:
        files = find_label_files(case.labels, []) if case.labels else {}
        return image_digest(case.image), labels_digest(files)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        found = list(pool.map(digests, cases))
    return {case.case: both for case, both in zip(cases, found, strict=True)}


def _check_case(
    case: Case,
    labels: Mapping[str, Path],
    classes: Sequence[str] | None,
    window: tuple[float, float] | None,
    look_for_text: bool,
) -> _Checked:
    """What one case with these label files shows, and its faults."""
    found = _Checked()
    size, ends, lines, turned, masks = None, (0, 0), 0, False, {}
    try:
        image = read_grey(case.image, window)
        size, found.appearance = image.shape, appearance_of(image)
        ends = int(image.min()), int(image.max())
        lines = len(find_text(image)) if look_for_text else 0
        turned = is_turned(case.image)
    except InputError as error:
        found.faults.append(str(error))
    for name, file in labels.items():
        if fault := _check_name(name, file, classes):
            found.faults.append(fault)
            continue
        try:
            values = read_mask_values(file)
        except InputError as error:
            found.faults.append(str(error))
            continue
        if size is not None and values.shape != size:
            found.faults.append(
                f"{file}: is {_format_size(values.shape)} pixels, but its image {case.image} is "
                f"{_format_size(size)} (width x height); export the label at the size of the image"
            )
        if values.any():
            found.present.add(name)
            masks[name] = _look_of_mask(values)
    if size is not None:
        found.look = Look((size[0], size[1]), *ends, masks, lines, turned)
    return found


def _look_of_mask(values: NDArray[np.integer]) -> MaskLook:
    """What a mask with these grey values, (height, width), shows; at least one is above 0."""
    mask = values > 0
    pixels = np.count_nonzero(mask)
    largest = int(values.max())
    half = (largest + 1) // 2  # 128 of 255, as trimaps have it
    faint = np.count_nonzero(mask & (values <= half) & (values < largest)) / pixels
    digest = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16]
    return MaskLook(pixels / mask.size, faint, digest)


def _check_name(name: str, file: Path, classes: Sequence[str] | None) -> str:
    """The fault of a label file's class name, '' if there is none."""
    if not is_class_name(name):
        return f"{file}: {CLASS_NAME_RULE}; rename the file"
    if classes is not None and name not in classes:
        return f"{file}: class {name!r} is not listed in `classes`; add it there or remove the file"
    return ""


def _not_in_training(
    pairs: Iterable[tuple[Case, set[str]]], files: Mapping[str, Mapping[str, Path]]
) -> list[str]:
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
        f"{files[cases[0].case][name]}: class {name!r} occurs in {cases[0].split} "
        f"({shortlist([case.case for case in cases], 3)}) but in no label of train; label it in a training "
        "case or remove these files"
        for name, cases in sorted(elsewhere.items())
        if name not in in_training
    ]


def _format_size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
