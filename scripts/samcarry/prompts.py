"""Boxes and points that ask SAM for each class of a cleaned mask (paper §2.1).

Coordinates are continuous: pixel (row 0, column 0) covers [0, 1) × [0, 1), points are (x, y). The box of
a single pixel at the origin is thus (0, 0, 1, 1) and its centre (0.5, 0.5).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Prompt:
    """What SAM is asked for one class of one case, in pixels of the prepared image."""

    box: Box  # x0, y0, x1, y1 with x0 < x1 and y0 < y1
    positive: Point  # centre of mass
    negative: tuple[Point, ...]  # the positive points of all other present classes


def centre_of_mass(mask: NDArray[np.bool_]) -> Point:
    """The centre of mass (x, y) of a mask (height, width) that is not empty."""
    rows, columns = np.nonzero(mask)
    return float(columns.mean() + 0.5), float(rows.mean() + 0.5)


def extract_prompts(
    masks: NDArray[np.bool_],
    point_of: Callable[[NDArray[np.bool_]], Point] = centre_of_mass,
    box_of: Callable[[int, Box], Box] = lambda index, box: box,
) -> list[Prompt | None]:
    """Prompts of each class from cleaned masks (class, height, width); None = class absent.

    The positive point is that of the part of the class that no other class covers, of the whole class
    if nothing is left. A single present class has no negative points.

    Args:
        masks: cleaned masks.
        point_of: the point of a mask that is not empty; in the paper its centre of mass.
        box_of: from a class's place and its bounding box to the box that is asked with.
    """
    covered = masks.sum(axis=0)
    positive = {
        index: point_of(uncovered if (uncovered := mask & (covered == 1)).any() else mask)
        for index, mask in enumerate(masks)
        if mask.any()
    }
    return [
        Prompt(
            box=box_of(index, bounding_box(mask)),
            positive=positive[index],
            negative=tuple(point for other, point in positive.items() if other != index),
        )
        if index in positive
        else None
        for index, mask in enumerate(masks)
    ]


def bounding_box(mask: NDArray[np.bool_]) -> Box:
    """Edges (x0, y0, x1, y1) of the pixels of a mask (height, width) that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def prompts_to_json(prompts: Sequence[Prompt | None], classes: Sequence[str]) -> dict[str, object]:
    """One case's prompts by class name; an absent class is there, as null."""
    return {
        name: None if prompt is None else asdict(prompt)
        for name, prompt in zip(classes, prompts, strict=True)
    }


def prompts_from_json(entry: Mapping[str, Any], classes: Sequence[str]) -> list[Prompt | None]:
    """The inverse of `prompts_to_json`; KeyError if a class is missing."""
    return [
        None
        if entry[name] is None
        else Prompt(
            box=tuple(entry[name]["box"]),
            positive=tuple(entry[name]["positive"]),
            negative=tuple(tuple(point) for point in entry[name]["negative"]),
        )
        for name in classes
    ]
