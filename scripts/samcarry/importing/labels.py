"""Annotations of an image, drawn as its label files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.formats.rasterise import draw
from samcarry.formats.shapes import Annotation
from samcarry.images.grey import image_size
from samcarry.images.masks import write_mask

COMBINATIONS = ("union", "intersection", "refuse")


def write_labels(
    folder: Path, image: Path, several: Sequence[Annotation], combine: str, faults: list[str]
) -> list[str]:
    """Write the masks of a case, a PNG for each class that has a pixel.

    Args:
        folder: of the masks; it is made, even for none.
        image: the image's file.
        several: what each of several files says of the image.
        combine: one of COMBINATIONS; what becomes of a class's masks of several files.
        faults: gets a line for each: an image of another size than the annotation's, a shape that cannot
            be drawn. With any fault, nothing is written.

    Returns:
        The classes written.
    """
    try:
        height, width = image_size(image)
    except InputError as error:
        faults.append(str(error))
        return []
    drawn = []
    for annotation in several:
        if annotation.size not in (None, (height, width)):
            rows, columns = annotation.size or (0, 0)
            faults.append(
                f"{image}: is {width} x {height}, its annotation in {annotation.source} is for "
                f"{columns} x {rows} (width x height); use the image that was annotated"
            )
        else:
            drawn.append(draw(annotation, height, width, faults))
    if faults:
        return []
    folder.mkdir(parents=True)
    masks = _combined(drawn, combine)
    present = [name for name, mask in masks.items() if mask.any()]
    for name in present:  # a shape may be so small that it covers no pixel's centre
        write_mask(folder / f"{name}.png", masks[name])
    return present


def _combined(drawn: Sequence[dict[str, NDArray[np.bool_]]], combine: str) -> dict[str, NDArray[np.bool_]]:
    """The masks of several files as one; with 'intersection', what all of them have."""
    masks = dict(drawn[0])
    for other in drawn[1:]:
        if combine == "intersection":
            masks = {name: mask & other[name] for name, mask in masks.items() if name in other}
        else:
            masks = {**other, **{n: mask | other[n] if n in other else mask for n, mask in masks.items()}}
    return masks
