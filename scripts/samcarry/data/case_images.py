"""Images and labels of single cases, read when they are needed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.data.image_digests import check_image
from samcarry.data.label_masks import check_labels, files_by_case
from samcarry.data.user_files import label_name
from samcarry.images.masks import read_mask
from samcarry.images.text import read_shown
from samcarry.storage.stacks import read_stack

ImageOf = Callable[[str], NDArray[np.uint8]]
"""The grey values (height, width) of the case with this name."""


def image_reader(
    paths: Sequence[str],
    cases: Sequence[str] | None,
    digests: Sequence[str] | None,
    window: tuple[float, float] | None,
    text_masked: bool = False,
) -> ImageOf:
    """A function that returns the image of a case.

    Original images keep their full resolution. Each call reads one file, so that memory holds one at a time.
    Prepared images stay in memory.

    Args:
        paths: image files, or stacks of prepared images.
        cases: the case that each image file shows; None if `paths` are stacks.
        digests: the `image_digest` of each image file that the input checks read; None if `paths` are stacks.
        window: for image files, as for `grey.read_grey`.
        text_masked: fill lines of text in image files; in stacks they are filled already.

    Raises:
        DamagedError: a stack is missing or damaged. The function raises InputError if an image file is not
            the one that was checked, or cannot be read.
    """
    if cases is not None and digests is not None:
        file_of = dict(zip(cases, zip(paths, digests, strict=True), strict=True))

        def read(case: str) -> NDArray[np.uint8]:
            path, digest = file_of[case]
            check_image(path, digest)
            return read_shown(path, window, text_masked)[0]

        return read
    images: dict[str, NDArray[np.uint8]] = {}
    for stack in map(read_stack, paths):
        images |= dict(zip(stack.cases, stack.values, strict=True))
    return images.__getitem__


def label_reader(
    paths: Iterable[str], classes: Sequence[str], digests: Mapping[str, str]
) -> Callable[[str], NDArray[np.bool_]]:
    """A function that returns the masks (class, height, width) of a case; absent classes have no pixel.

    A case without any file has masks of shape (class, 1, 1).

    Args:
        paths: label files `<case>/<class>.png` of several cases, at full resolution; or stacks of prepared
            masks.
        classes: the classes in the order of the masks.
        digests: {case: `labels_digest` of its label files} as the input checks found them; unused for stacks.

    Raises:
        DamagedError: a stack is missing or damaged. The function raises InputError if label files are not
            those that were checked, or cannot be read.
    """
    given = list(map(Path, paths))
    files = files_by_case(path for path in given if label_name(path))
    prepared: dict[str, NDArray[np.bool_]] = {}
    for stack in (read_stack(path, classes=classes) for path in given if not label_name(path)):
        prepared |= dict(zip(stack.cases, stack.masks, strict=True))

    def masks_of(case: str) -> NDArray[np.bool_]:
        if case in prepared:
            return prepared[case]
        check_labels(case, files.get(case, {}), digests[case])
        masks = {name: read_mask(path) for name, path in files.get(case, {}).items() if name in classes}
        absent = np.zeros_like(next(iter(masks.values()), np.zeros((1, 1), dtype=bool)))
        return np.stack([masks.get(name, absent) for name in classes])

    return masks_of
