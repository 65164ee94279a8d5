"""Images and labels of single cases, read when they are needed."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.images.grey import read_grey
from samcarry.images.masks import read_mask
from samcarry.storage.stacks import read_stack

ImageOf = Callable[[str], NDArray[np.uint8]]
"""The grey values (height, width) of the case with this name."""


def image_reader(
    paths: Sequence[str], cases: Sequence[str] | None, window: tuple[float, float] | None
) -> ImageOf:
    """A function that returns the image of a case.

    Original images keep their full resolution. Each call reads one file, so that memory holds one at a time.
    Prepared images stay in memory.

    Args:
        paths: image files, or stacks of prepared images.
        cases: the case that each image file shows; None if `paths` are stacks.
        window: for image files, as for `grey.read_grey`.

    Raises:
        DamagedError: a stack is missing or damaged.
    """
    if cases is not None:
        path_of = dict(zip(cases, paths, strict=True))
        return lambda case: read_grey(path_of[case], window)
    images: dict[str, NDArray[np.uint8]] = {}
    for stack in map(read_stack, paths):
        images |= dict(zip(stack.cases, stack.values, strict=True))
    return images.__getitem__


def label_reader(paths: Iterable[str]) -> Callable[[str], NDArray[np.bool_]]:
    """A function that returns the masks (class, height, width) of a case: of those classes that have a file.

    A case without any file has masks of shape (0, 0, 0).

    Args:
        paths: label files `<case>/<class>.png` of several cases, at full resolution; or stacks of prepared
            masks, which hold all classes.

    Raises:
        DamagedError: a stack is missing or damaged.
    """
    files: dict[str, list[Path]] = {}
    prepared: dict[str, NDArray[np.bool_]] = {}
    for path in map(Path, paths):
        if path.suffix == ".png":
            files.setdefault(path.parent.name, []).append(path)
        else:
            stack = read_stack(path)
            prepared |= dict(zip(stack.cases, stack.masks, strict=True))

    def masks_of(case: str) -> NDArray[np.bool_]:
        if case in prepared:
            return prepared[case]
        masks = [read_mask(path) for path in sorted(files.get(case, []))]
        return np.stack(masks) if masks else np.zeros((0, 0, 0), dtype=bool)

    return masks_of
