"""Writing the annotations of an image as label files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.geometry.rasterise import draw_masks
from samcarry.geometry.shapes import Annotation
from samcarry.images.grey import image_size
from samcarry.images.masks import write_mask

COMBINATIONS = ("union", "intersection", "refuse")


def write_labels(
    folder: Path, image: Path, annotations: Sequence[Annotation], combine: str, faults: list[str]
) -> list[str]:
    """Write the masks of a case, one PNG for each class that has a pixel.

    Args:
        folder: of the masks; it is created even if there are none.
        image: the image's file.
        annotations: the annotations of the image, one per file.
        combine: one of COMBINATIONS: how the masks of a class from several files are combined.
        faults: gets one line for each image whose size differs from its annotation's, and for each shape
            that cannot be drawn. If it has any line, nothing is written.

    Returns:
        The classes written.
    """
    try:
        height, width = image_size(image)
    except InputError as error:
        faults.append(str(error))
        return []
    drawn = []
    for annotation in annotations:
        if annotation.size not in (None, (height, width)):
            rows, columns = annotation.size or (0, 0)
            faults.append(
                f"{image}: is {width} x {height}, but its annotation in {annotation.source} is for "
                f"{columns} x {rows} (width x height); use the image that was annotated"
            )
        else:
            drawn.append(draw_masks(annotation, height, width, faults))
    if faults:
        return []
    folder.mkdir(parents=True)
    masks = _combine(drawn, combine)
    present = [name for name, mask in masks.items() if mask.any()]
    for name in present:  # a very small shape may cover no pixel's centre
        write_mask(folder / f"{name}.png", masks[name])
    return present


def _combine(drawn: Sequence[dict[str, NDArray[np.bool_]]], combine: str) -> dict[str, NDArray[np.bool_]]:
    """The masks of several files combined: their intersection, or else their union."""
    masks = dict(drawn[0])
    for other in drawn[1:]:
        if combine == "intersection":
            masks = {name: mask & other[name] for name, mask in masks.items() if name in other}
        else:
            masks = {**other, **{n: mask | other[n] if n in other else mask for n, mask in masks.items()}}
    return masks
