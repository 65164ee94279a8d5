"""Writing the annotations of an image as label files."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError, LeftOut, shortlist
from samcarry.evaluation.dice import dice_between
from samcarry.geometry.rasterise import draw_masks
from samcarry.geometry.shapes import Annotation
from samcarry.images.grey import image_size
from samcarry.images.masks import write_mask

COMBINATIONS = ("union", "intersection", "refuse")


@dataclass(frozen=True)
class Reading:
    """How well the annotations of one class by several people agree in one case.

    Attributes:
        case: name of the case.
        name: the class.
        readers: number of annotations of the case.
        drawn: number of annotations that have the class, 1 or more.
        dice: Dice between the masks of two people, 0..1, the mean over every two who do not both lack it.
    """

    case: str
    name: str
    readers: int
    drawn: int
    dice: float


Masks = Mapping[str, NDArray[np.bool_]]
"""{class: mask}."""


def write_labels(
    folder: Path,
    image: Path,
    annotations: Sequence[Annotation],
    combine: str,
    faults: list[str],
    readings: list[Reading] | None = None,
    *,
    mirror: bool = False,
    without_pixel: list[tuple[str, str]] | None = None,
) -> list[str]:
    """Write the masks of a case, one PNG for each class that has a pixel.

    Args:
        folder: of the masks; it is created even if there are none.
        image: the image's file.
        annotations: the annotations of the image, one per file.
        combine: one of COMBINATIONS: how the masks of a class from several files are combined.
        faults: gets one line for each image whose size differs from its annotation's, and for each shape
            that cannot be drawn. If it has any line, nothing is written.
        readings: gets what several annotations say about each class, before they are combined.
        mirror: mirror the masks, because they are of the mirrored image.
        without_pixel: gets (case, class) of each outline that covers the centre of no pixel.

    Returns:
        The classes written.
    """
    try:
        height, width = image_size(image)
    except InputError as error:
        faults.append(str(error))
        return []
    drawn = []
    tiny: list[str] = []
    for annotation in annotations:
        if annotation.size not in (None, (height, width)):
            rows, columns = annotation.size or (0, 0)
            faults.append(
                f"{image}: is {width} x {height}, but its annotation in {annotation.source} is for "
                f"{columns} x {rows} (width x height); use the image that was annotated"
            )
        else:
            drawn.append(draw_masks(annotation, height, width, faults, tiny))
    if without_pixel is not None:
        without_pixel += [(folder.name, name) for name in tiny]
    if faults:
        return []
    folder.mkdir(parents=True)
    if readings is not None and len(drawn) > 1:
        readings += _readings(folder.name, drawn)
    masks = _combine(drawn, combine)
    present = [name for name, mask in masks.items() if mask.any()]
    for name in present:
        write_mask(folder / f"{name}.png", masks[name][:, ::-1] if mirror else masks[name])
    return present


def line_without_pixel(without_pixel: Sequence[tuple[str, str]]) -> list[str]:
    """A line of a summary that counts and names the outlines, as (case, class), without a pixel, if any."""
    if not without_pixel:
        return []
    named = list(dict.fromkeys(f"{case} ({name})" for case, name in without_pixel))
    return [
        LeftOut(
            f"skipped {len(without_pixel)} shapes that cover the centre of no pixel, as of a stray click: "
            f"{shortlist(named, 50)}"
        )
    ]


def compared(readings: Sequence[Reading]) -> list[Reading]:
    """The readings of classes that two people drew in some case; others were shared out among the files."""
    shared = {reading.name for reading in readings if reading.drawn > 1}
    return [reading for reading in readings if reading.name in shared]


def _readings(case: str, drawn: Sequence[Masks]) -> list[Reading]:
    found = []
    for name in sorted({name for masks in drawn for name, mask in masks.items() if mask.any()}):
        empty = np.zeros_like(next(masks[name] for masks in drawn if name in masks))
        masks = [of_one.get(name, empty) for of_one in drawn]
        scores = [dice_between(*pair) for pair in itertools.combinations(masks, 2)]
        known = [score for score in scores if score is not None]
        found.append(
            Reading(case, name, len(masks), sum(bool(m.any()) for m in masks), float(np.mean(known)))
        )
    return found


def _combine(drawn: Sequence[dict[str, NDArray[np.bool_]]], combine: str) -> dict[str, NDArray[np.bool_]]:
    """The masks of several files combined: their intersection, or else their union."""
    masks = dict(drawn[0])
    for other in drawn[1:]:
        if combine == "intersection":
            masks = {name: mask & other[name] for name, mask in masks.items() if name in other}
        else:
            masks = {**other, **{n: mask | other[n] if n in other else mask for n, mask in masks.items()}}
    return masks
