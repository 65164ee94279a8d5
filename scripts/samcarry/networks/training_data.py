"""Training data: images and masks from many shards in memory-mapped arrays on disk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from samcarry.errors import InputError
from samcarry.runtime.memory_maps import release_pages, scratch_array
from samcarry.storage.stacks import Stack


@dataclass(frozen=True)
class TrainingData:
    """Images and masks of N cases, in memory or memory-mapped.

    Attributes:
        images: uint8 (N, height, width).
        masks: bool (N, class, height, width); or uint8, probabilities times 255 that are learned themselves.
        weights: weight of each class of each case in the loss, float32 (N, class); None = equal weights.
        last: number of cases at the end that make up half of each batch; 0 = all cases are drawn alike.
        unsure: pixels that do not count in the loss, bool (N, class, height, width); None = all count.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_] | NDArray[np.uint8]
    weights: NDArray[np.float32] | None = None
    last: int = 0
    unsure: NDArray[np.bool_] | None = None


def gather(
    pairs: Iterable[tuple[Stack, Stack]], cases: Sequence[str], scratch: Path, *, soft: bool = False
) -> TrainingData:
    """Copy images and masks of `cases` from shards into two memory-mapped arrays below `scratch`.

    The arrays stay on disk, so that memory does not grow with the number of cases.

    Args:
        pairs: images and masks (or probabilities) of each shard; some cases may have only an image.
        cases: the cases to copy, in the order of the result.
        scratch: folder for the arrays, created if necessary; the caller removes it.
        soft: whether probabilities themselves are learned, instead of masks.

    Raises:
        InputError: `cases` is empty, or a case is missing in all shards.
    """
    images = _CaseArray(scratch, np.uint8, cases)
    masks = _CaseArray(scratch, np.uint8 if soft else np.bool_, cases)
    for image_stack, mask_stack in pairs:
        images.copy_from(image_stack.cases, image_stack.values)
        masks.copy_from(mask_stack.cases, _targets(mask_stack) if soft else mask_stack.masks)
    return TrainingData(images.complete(), masks.complete())


def _targets(stack: Stack) -> NDArray[np.uint8]:
    """Probabilities times 255 of a stack of probabilities, or of masks."""
    return stack.values if stack.kind == "probability" else stack.masks.astype(np.uint8) * np.uint8(255)


def gather_unlabelled(
    stacks: Iterable[Stack], cases: Sequence[str], classes: int, scratch: Path
) -> TrainingData:
    """Copy the images of `cases` into a memory-mapped array below `scratch`; their masks are empty.

    Args:
        stacks: images of each shard.
        cases: the cases to copy, in the order of the result.
        classes: number of classes.
        scratch: as in `gather`.

    Raises:
        InputError: `cases` is empty, or a case is missing in all shards.
    """
    array = _CaseArray(scratch, np.uint8, cases)
    for stack in stacks:
        array.copy_from(stack.cases, stack.values)
    images = array.complete()
    empty = np.broadcast_to(np.bool_(False), (len(images), classes, *images.shape[1:]))
    return TrainingData(images, empty)


def disagreement(
    data: TrainingData, initial: Iterable[Stack], cases: Sequence[str], scratch: Path
) -> NDArray[np.bool_]:
    """Where P and the masks of `data` differ, (N, class, height, width), memory-mapped below `scratch`.

    Args:
        data: training data whose masks of unlabelled cases are refined pseudo labels.
        initial: stacks of P; a case that is in none of them, such as a labelled one, differs nowhere.
        cases: the cases of `data` in their order.
        scratch: folder for the array, created if necessary; the caller removes it.
    """
    rows = {case: row for row, case in enumerate(cases)}
    found = scratch_array(scratch, np.bool_, data.masks.shape)
    for stack in initial:
        for case, mask in zip(stack.cases, stack.masks, strict=True):
            if case in rows:
                found[rows[case]] = mask != data.masks[rows[case]]
        release_pages(found)
    return found


class _CaseArray:
    """A memory-mapped array with one row per case, filled shard by shard."""

    def __init__(self, scratch: Path, dtype: DTypeLike, cases: Sequence[str]) -> None:
        if not cases:
            raise InputError("there is no case to train on: check the data set's splits and labels")
        self.scratch, self.dtype = scratch, dtype
        self.rows = {case: row for row, case in enumerate(cases)}
        self.missing = set(cases)
        self.array: NDArray | None = None

    def copy_from(self, cases: Sequence[str], values: NDArray) -> None:
        """Copy the values (case, ...) of those cases that are still missing."""
        if self.array is None:
            shape = (len(self.rows), *values.shape[1:])
            self.array = scratch_array(self.scratch, self.dtype, shape)
        for case, value in zip(cases, values, strict=True):
            if case in self.missing:
                self.array[self.rows[case]] = value
                self.missing.remove(case)
        release_pages(self.array)

    def complete(self) -> NDArray:
        """The array, once it has all cases."""
        if self.missing or self.array is None:
            raise InputError(
                f"case {sorted(self.missing)[0]} is in none of the prepared shards: delete the folder "
                f"'prepared' of this data set and run the same command again"
            )
        return self.array
