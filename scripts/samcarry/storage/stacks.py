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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from samcarry.errors import DamagedError
from samcarry.storage.files import atomic
from samcarry.storage.parallel_gzip import gzip_writer
from samcarry.storage.probabilities import foreground

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


def write_stack(path: str | Path, stack: Stack, threads: int = 1) -> None:
    """Write a stack as .nii.gz, atomically; equal stacks give equal bytes with any number of threads."""
    axes = (2, 1, 0) if stack.kind == "image" else (3, 2, 0, 1)
    # Image rows run downwards and columns to the right; NIfTI's axes point the other way.
    image = nib.Nifti1Image(stack.values.transpose(axes), np.diag([-1.0, -1.0, 1.0, 1.0]))
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
    try:
        return _header(nib.load(path))
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def read_stack(path: str | Path) -> Stack:
    """Read a stack that `write_stack` wrote.

    Raises:
        DamagedError: the file is missing, damaged or not a stack of samcarry.
    """
    try:
        # Decompress the entire file: gzip's checksum, which detects damage, is at the end.
        content = gzip.decompress(Path(path).read_bytes())
        image: Any = nib.Nifti1Image.from_bytes(content)
        header = _header(image)
        if math.prod(image.shape) > len(content):
            raise ValueError("it is truncated")
        values = image.dataobj.get_unscaled()
        axes = (2, 1, 0) if header.kind == "image" else (2, 3, 1, 0)
        ordered = np.ascontiguousarray(values.transpose(axes))
        return Stack(ordered, header.kind, header.cases, header.classes, header.made_by)
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def _header(image: Any) -> Header:
    names = json.loads(image.header.extensions[0].get_content())
    return Header(names["kind"], tuple(names["cases"]), tuple(names["classes"]), names["made_by"])


def _damaged(path: str | Path, error: Exception) -> DamagedError:
    reason = " ".join(str(error).split())
    return DamagedError(path, f"this shard is damaged or was not written by samcarry ({reason})")


def pairs_of(first: Iterable[str], second: Iterable[str]) -> Iterator[tuple[Stack, Stack]]:
    """Read the stacks of two lists of files one pair (shard) at a time.

    Raises:
        ValueError: the lists differ in length.
    """
    for one, other in zip(first, second, strict=True):
        yield read_stack(one), read_stack(other)


def read_shards(paths: Iterable[str], cases: Sequence[str]) -> dict[str, NDArray]:
    """Values of single cases: images uint8 (height, width), or masks bool (class, height, width)."""
    wanted = set(cases)
    found: dict[str, NDArray] = {}
    for path in paths:
        stack = read_stack(path)
        values = stack.values if stack.kind == "image" else stack.masks
        for case, value in zip(stack.cases, values, strict=True):
            if case in wanted:
                found[case] = value.copy()  # a view would keep the whole stack in memory
    return found
