"""Shards on disk: NIfTI stacks (x, y, case[, class]) that carry the names of cases and classes.

In memory the order is (case, class, height, width) or, for images, (case, height, width). Stacks hold
8-bit values; probabilities are stored times 255, with the factor in the header, so that any NIfTI reader
shows 0..1.
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
from samcarry.storage.parallel_gzip import packing
from samcarry.storage.probabilities import THRESHOLD

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
    """One shard.

    `values` is uint8: images (case, height, width); masks 0/1 or probabilities 0..255
    (case, class, height, width), as `kind` says.
    """

    values: NDArray[np.uint8]
    kind: str  # "image", "mask" or "probability"
    cases: tuple[str, ...]
    classes: tuple[str, ...] = ()
    made_by: dict[str, Any] = field(default_factory=dict)

    @property
    def masks(self) -> NDArray[np.bool_]:
        """Foreground of masks or probabilities, bool (case, class, height, width)."""
        return self.values > (THRESHOLD if self.kind == "probability" else 0)


def write_stack(path: str | Path, stack: Stack, threads: int = 1) -> None:
    """Write a stack as .nii.gz, atomically; the same stack gives the same bytes, whatever the threads."""
    axes = (2, 1, 0) if stack.kind == "image" else (3, 2, 0, 1)
    # Rows run downwards and columns to the right: NIfTI's axes point the other way.
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
    with atomic(path) as private, private.open("wb") as file, packing(file, threads) as stream:
        image.to_stream(stream)


@dataclass(frozen=True)
class Header:
    """What a shard's file says of itself; the fields are those of `Stack`."""

    kind: str
    cases: tuple[str, ...]
    classes: tuple[str, ...]
    made_by: dict[str, Any]


def read_header(path: str | Path) -> Header:
    """Names and origin of a stack, without its values: of a large shard some kilobytes are read.

    Raises:
        DamagedError: the file is missing, or its beginning is damaged or no stack of ours.
    """
    try:
        return _header(nib.load(path))
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def read_stack(path: str | Path) -> Stack:
    """Read a stack that `write_stack` wrote.

    Raises:
        DamagedError: the file is missing, damaged or no stack of ours.
    """
    try:
        # Decompressed as a whole, since only its end tells whether a file is the one that was written.
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
    return DamagedError(path, f"this shard is damaged or not from samcarry ({reason})")


def pairs_of(first: Iterable[str], second: Iterable[str]) -> Iterator[tuple[Stack, Stack]]:
    """Read the stacks of two lists of files, shard by shard, one pair at a time."""
    for one, other in zip(first, second, strict=True):
        yield read_stack(one), read_stack(other)


def read_shards(paths: Iterable[str], cases: Sequence[str]) -> dict[str, NDArray]:
    """Values of single cases: images (height, width), or masks bool (class, height, width)."""
    wanted = set(cases)
    found: dict[str, NDArray] = {}
    for path in paths:
        stack = read_stack(path)
        values = stack.values if stack.kind == "image" else stack.masks
        found |= {
            case: value.copy()  # else a few cases would keep whole stacks in memory
            for case, value in zip(stack.cases, values, strict=True)
            if case in wanted
        }  # fmt: skip
    return found
