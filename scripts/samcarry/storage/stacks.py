"""Shards on disk: NIfTI stacks (x, y, case[, class]) with the names of their cases and classes.

In memory the order is (case, class, height, width), or (case, height, width) for images. Stacks hold 8-bit
values. Probabilities are stored times 255, with the factor in the header, so that any NIfTI reader shows
0 to 1.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from samcarry.errors import DamagedError
from samcarry.storage.files import atomic
from samcarry.storage.parallel_gzip import gzip_writer
from samcarry.storage.probabilities import foreground
from samcarry.storage.reading import reading_made

_FAULT = "this shard is damaged or was not written by samcarry"
_DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)


@dataclass(frozen=True)
class Stack:
    """The images, masks or probabilities of one shard.

    Attributes:
        values: uint8; images (case, height, width), or masks 0/1 or probabilities 0..255
            (case, class, height, width).
        kind: 'image', 'mask' or 'probability'.
        cases: names of the cases.
        classes: names of the classes; none for images.
        made_by: the job that wrote the file: rule, settings, inputs, versions.
    """

    values: NDArray[np.uint8]
    kind: str
    cases: tuple[str, ...]
    classes: tuple[str, ...] = ()
    made_by: dict[str, Any] = field(default_factory=dict)

    @property
    def masks(self) -> NDArray[np.bool_]:
        """Foreground of masks or probabilities, bool (case, class, height, width)."""
        return foreground(self.values) if self.kind == "probability" else self.values > 0


def write_stack(
    path: str | Path, stack: Stack, threads: int = 1, spacing: tuple[float, float] | None = None
) -> None:
    """Write a stack as .nii.gz, atomically; equal stacks give equal bytes with any number of threads.

    `spacing` is the height and width of a pixel in mm, if they are known and the same for all cases.
    """
    axes = (2, 1, 0) if stack.kind == "image" else (3, 2, 0, 1)
    # Image rows run downwards and columns to the right; NIfTI's axes point the other way.
    height, width = spacing or (1.0, 1.0)
    image = nib.Nifti1Image(stack.values.transpose(axes), np.diag([-width, -height, 1.0, 1.0]))
    if spacing is not None:
        image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(1 / 255 if stack.kind == "probability" else 1, 0)
    names = {
        "kind": stack.kind,
        "cases": stack.cases,
        "classes": stack.classes,
        "made_by": stack.made_by,
    }
    text = json.dumps(names, ensure_ascii=False)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", text.encode()))
    with atomic(path) as private, private.open("wb") as file, gzip_writer(file, threads) as stream:
        image.to_stream(stream)


@dataclass(frozen=True)
class Header:
    """A stack without its values; the fields are those of `Stack`."""

    kind: str
    cases: tuple[str, ...]
    classes: tuple[str, ...]
    made_by: dict[str, Any]


def read_header(path: str | Path) -> Header:
    """Read a stack's header (names and provenance) without loading its values.

    Raises:
        DamagedError: the file is missing, its beginning is damaged, or it is not a stack of samcarry.
    """
    with reading_made(path, _FAULT, _DAMAGE), gzip.open(path) as stream:
        return _names(nib.Nifti1Header.from_fileobj(stream))


def read_stack(
    path: str | Path, *, cases: Sequence[str] | None = None, classes: Sequence[str] | None = None
) -> Stack:
    """Read a stack that `write_stack` wrote.

    Args:
        path: the file.
        cases: the cases wanted, in this order; None = all, in the order of the file.
        classes: the classes that the stack must have, in the order wanted; None = as in the file.

    Raises:
        DamagedError: the file is missing, damaged or not a stack of samcarry, lacks a case, or has other
            classes.
    """
    return _arranged(_read(path), path, cases, classes)


def _read(path: str | Path) -> Stack:
    with reading_made(path, _FAULT, _DAMAGE):
        # Decompress the entire file: gzip's checksum, which detects damage, is at the end.
        content = gzip.decompress(Path(path).read_bytes())
        image: Any = nib.Nifti1Image.from_bytes(content)
        header = _names(image.header)
        if math.prod(image.shape) > len(content):
            raise ValueError("it is truncated")
        values = image.dataobj.get_unscaled()
        axes = (2, 1, 0) if header.kind == "image" else (2, 3, 1, 0)
        ordered = np.ascontiguousarray(values.transpose(axes))
        return Stack(ordered, header.kind, header.cases, header.classes, header.made_by)


def _names(header: Any) -> Header:
    names = json.loads(header.extensions[0].get_content())
    return Header(names["kind"], tuple(names["cases"]), tuple(names["classes"]), names["made_by"])


def _arranged(
    stack: Stack, path: str | Path, cases: Sequence[str] | None, classes: Sequence[str] | None
) -> Stack:
    """The stack at `path` with these cases and classes, see `read_stack`; the same object if it has them."""
    cases = stack.cases if cases is None else tuple(cases)
    classes = stack.classes if classes is None or stack.kind == "image" else tuple(classes)
    if missing := sorted(set(cases) - set(stack.cases)):
        raise DamagedError(
            path, f"this shard has no case {missing[0]!r}, which other files of the shard have"
        )
    if sorted(classes) != sorted(stack.classes):
        raise DamagedError(
            path, f"this shard has the classes {', '.join(stack.classes)}, not {', '.join(classes)}"
        )
    if (cases, classes) == (stack.cases, stack.classes):
        return stack
    values = stack.values[[stack.cases.index(case) for case in cases]]
    if classes:
        values = values[:, [stack.classes.index(name) for name in classes]]
    return replace(stack, values=values, cases=cases, classes=classes)


def pairs_of(
    whole: Iterable[str | Path], references: Iterable[str | Path], classes: Sequence[str] | None = None
) -> Iterator[tuple[Stack, Stack]]:
    """Read the stacks of two lists of files one pair (shard) at a time; cases and classes are paired by name.

    Args:
        whole: images, predictions or other masks of all cases of each shard.
        references: masks of the same shards, perhaps of some of the cases only.
        classes: the classes in the order wanted; None = as in the first of `references`.

    Yields:
        Two stacks with the cases of the references, and with the same classes in all pairs.

    Raises:
        ValueError: the lists differ in length.
        DamagedError: the shards of a pair differ in their cases, classes or size.
    """
    for path, reference_path in zip(whole, references, strict=True):
        reference = read_stack(reference_path, classes=classes)
        classes = reference.classes
        stack = read_stack(path, cases=reference.cases, classes=classes)
        if stack.values.shape[-2:] != reference.values.shape[-2:]:
            raise DamagedError(path, f"this shard has another size than {reference_path}")
        yield stack, reference


def read_shards(
    paths: Iterable[str], cases: Sequence[str], classes: Sequence[str] | None = None
) -> dict[str, NDArray]:
    """Values of single cases: images uint8 (height, width), or masks bool (class, height, width).

    Args:
        paths: the stacks of all shards.
        cases: the cases wanted; those that no stack has are left out.
        classes: the classes of masks in the order wanted; None = as in the first stack.

    Raises:
        DamagedError: see `read_stack`.
    """
    wanted = set(cases)
    found: dict[str, NDArray] = {}
    for path in paths:
        stack = read_stack(path, classes=classes)
        classes = stack.classes
        values = stack.values if stack.kind == "image" else stack.masks
        for case, value in zip(stack.cases, values, strict=True):
            if case in wanted:
                found[case] = value.copy()  # a view would keep the whole stack in memory
    return found
