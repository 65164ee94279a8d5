"""Masks of label files: those of a shard at network size, and the digest that identifies the files."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.data.user_files import composed, label_name
from samcarry.errors import InputError
from samcarry.images.masks import read_mask, resize_mask
from samcarry.storage.files import sha256
from samcarry.storage.reading import reading


def labels_digest(files: Mapping[str, Path]) -> str:
    """A digest of the names and contents of {class: label file}, 16 hexadecimal digits.

    Raises:
        InputError: the operating system cannot read a file.
    """
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        with reading(file, by_rule=False):
            digest.update(f"{name} {sha256(file)}\n".encode())
    return digest.hexdigest()[:16]


def check_labels(case: str, files: Mapping[str, Path], digest: str) -> None:
    """Check that the label files of a case are those that the input checks read.

    Args:
        case: its name.
        files: {class: label file}.
        digest: `labels_digest` of the files as the input checks found them.

    Raises:
        InputError: they are not.
    """
    if labels_digest(files) != digest:
        where = next(iter(files.values())).parent if files else f"labels of {case}"
        raise InputError(
            f"{where}: these labels are not those that the input checks read; run again, with "
            "`--forcerun list_cases` if this message remains"
        )


def files_by_case(paths: Iterable[str | Path]) -> dict[str, dict[str, Path]]:
    """Label files `<case>/<class>.png` as {case: {class: file}}, with names in composed form."""
    files: dict[str, dict[str, Path]] = {}
    for path in map(Path, paths):
        files.setdefault(composed(path.parent.name), {})[label_name(path) or path.name] = path
    return files


def read_label_masks(
    paths: Iterable[str | Path],
    cases: Sequence[str],
    digests: Sequence[str],
    classes: Sequence[str],
    height: int,
    width: int,
) -> NDArray[np.uint8]:
    """The masks of label files at another size: 0 and 1, (case, class, height, width).

    A class without a file is absent.

    Args:
        paths: all label files of the cases.
        cases: the labelled cases, in the order of the result.
        digests: `labels_digest` of each case's files as the input checks found them.
        classes: the classes, in the order of the result.
        height: of the result, in pixels.
        width: of the result, in pixels.

    Raises:
        InputError: the files are not those that were checked, or one cannot be read.
    """
    files = files_by_case(paths)
    masks = np.zeros((len(cases), len(classes), height, width), dtype=np.uint8)
    for place, (case, digest) in enumerate(zip(cases, digests, strict=True)):
        of_case = files.pop(case, {})
        check_labels(case, of_case, digest)
        for name, file in of_case.items():
            mask = read_mask(file)
            # Without `classes` in the config, a class whose masks are all black is not one of the classes.
            if name in classes:
                masks[place, classes.index(name)] = resize_mask(mask, height, width)
            elif mask.any():
                raise InputError(f"{file}: class {name!r} is not among the classes; run list_cases again")
    if files:
        raise InputError(f"{next(iter(files))}: labels of a case of another shard; run list_cases again")
    return masks
