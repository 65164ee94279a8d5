"""Training arrays: images and masks of many shards, memory-mapped on disk."""

import mmap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.storage.stacks import Stack


@dataclass(frozen=True)
class TrainingData:
    """Images uint8 (N, height, width) and masks bool (N, class, height, width), maybe on disk.

    `weights` float32 (N, class) say how much a class of a case counts in the loss; None = all alike.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    weights: NDArray[np.float32] | None = None


def gather(pairs: Iterable[tuple[Stack, Stack]], cases: Sequence[str], scratch: Path) -> TrainingData:
    """Copy images and masks of `cases` into two memory-mapped arrays below `scratch`.

    They stay on disk, so that memory does not grow with the number of images.

    Args:
        pairs: images and masks (or probabilities) of each shard; a case may have an image only.
        cases: the cases wanted, in the order wanted.
        scratch: a folder without such arrays, made if need be, that the caller removes.

    Raises:
        InputError: `cases` is empty, or one of them is in no shard.
    """
    if not cases:
        raise InputError("there is no case to train on: check the data set's splits and labels")
    rank = {case: place for place, case in enumerate(cases)}
    images = masks = None
    missing = set(cases)
    scratch.mkdir(parents=True, exist_ok=True)
    for image_stack, mask_stack in pairs:
        if images is None or masks is None:
            shape = (len(cases), *mask_stack.values.shape[1:])
            images = np.lib.format.open_memmap(scratch / "images.npy", "w+", np.uint8, (shape[0], *shape[2:]))
            masks = np.lib.format.open_memmap(scratch / "masks.npy", "w+", np.bool_, shape)
        image_of = dict(zip(image_stack.cases, image_stack.values, strict=True))
        for case, foreground in zip(mask_stack.cases, mask_stack.masks, strict=True):
            if case in missing:
                images[rank[case]] = image_of[case]
                masks[rank[case]] = foreground
                missing.remove(case)
        let_go(images, masks)
    if missing or images is None or masks is None:
        raise InputError(
            f"case {sorted(missing)[0]} is in none of the prepared shards: delete the folder "
            f"'prepared' of this data set and run the same command again"
        )
    return TrainingData(images, masks)


def let_go(*arrays: NDArray) -> None:
    """Give back the memory that shows arrays on disk; what is asked for again comes from the disk's cache.

    Without this a process would in time hold every page that it has touched.
    """
    for array in arrays:
        if isinstance(array.base, mmap.mmap):
            array.base.madvise(mmap.MADV_DONTNEED)


def gather_unlabelled(
    stacks: Iterable[Stack], cases: Sequence[str], classes: int, scratch: Path
) -> TrainingData:
    """Copy the images of `cases` into a memory-mapped array below `scratch`; their masks are all empty.

    Args:
        stacks: images of each shard.
        cases: the cases wanted, in the order wanted.
        classes: how many there are.
        scratch: as in `gather`.

    Raises:
        InputError: `cases` is empty, or one of them is in no shard.
    """
    blanks = (
        (stack, Stack(np.broadcast_to(np.uint8(0), (len(stack.cases), 1, *stack.values.shape[1:])), "mask",
                      stack.cases))
        for stack in stacks
    )  # fmt: skip
    images = gather(blanks, cases, scratch).images
    nothing = np.broadcast_to(np.bool_(False), (len(images), classes, *images.shape[1:]))
    return TrainingData(images, nothing)
