"""Prompts for SAM: a box and points for each class of a cleaned mask (paper §2.1).

Coordinates are continuous, and points are (x, y): the pixel in row 0 and column 0 covers [0, 1) × [0, 1). The
box of this pixel is thus (0, 0, 1, 1), and its centre is (0.5, 0.5).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.storage.files import write_text
from samcarry.storage.texts import read_json

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Prompt:
    """The prompts for one class of one case, in pixels of the prepared image."""

    box: Box  # x0, y0, x1, y1 with x0 < x1 and y0 < y1
    positive: Point  # centre of mass
    negative: tuple[Point, ...]  # the positive points of all other present classes


def centre_of_mass(mask: NDArray[np.bool_]) -> Point:
    """The centre of mass (x, y) of a non-empty mask (height, width)."""
    rows, columns = np.nonzero(mask)
    return float(columns.mean() + 0.5), float(rows.mean() + 0.5)


def extract_prompts(
    masks: NDArray[np.bool_],
    point_of: Callable[[NDArray[np.bool_]], Point] = centre_of_mass,
    box_of: Callable[[int, Box], Box] = lambda index, box: box,
) -> list[Prompt | None]:
    """Prompts of each class from cleaned masks (class, height, width); None = class absent.

    The positive point is computed from the part of the class that no other class covers, or from the entire
    class if there is no such part. If only one class is present, it has no negative points.

    Args:
        masks: cleaned masks.
        point_of: returns the point of a non-empty mask; in the paper its centre of mass.
        box_of: returns the box prompt for the index of a class and its bounding box.
    """
    covered = masks.sum(axis=0)
    positive: dict[int, Point] = {}
    for index, mask in enumerate(masks):
        if mask.any():
            uncovered = mask & (covered == 1)
            positive[index] = point_of(uncovered if uncovered.any() else mask)
    prompts: list[Prompt | None] = []
    for index, mask in enumerate(masks):
        if index not in positive:
            prompts.append(None)
            continue
        negative = tuple(point for other, point in positive.items() if other != index)
        prompts.append(Prompt(box_of(index, bounding_box(mask)), positive[index], negative))
    return prompts


def bounding_box(mask: NDArray[np.bool_]) -> Box:
    """Edges (x0, y0, x1, y1) of the pixels of a non-empty mask (height, width)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def write_prompts(
    path: str | Path, prompts: Mapping[str, Sequence[Prompt | None]], classes: Sequence[str]
) -> None:
    """Write a shard's prompts as {case: {class: prompt}}, atomically; an absent class is null."""
    entries = {
        case: {
            name: None if prompt is None else asdict(prompt)
            for name, prompt in zip(classes, of_case, strict=True)
        }
        for case, of_case in prompts.items()
    }
    write_text(path, json.dumps(entries, ensure_ascii=False, indent=1) + "\n")


def read_prompts(
    *paths: str | Path, classes: Sequence[str] | None = None
) -> tuple[dict[str, list[Prompt | None]], tuple[str, ...]]:
    """The prompts of several shards by case, and the classes, which give their order.

    Args:
        paths: files from `write_prompts`, all with the same classes.
        classes: the order of the prompts; None = the order in the files.

    Raises:
        DamagedError: a file is missing or is not JSON.
        KeyError: a file lacks one of `classes`.
    """
    entries: dict[str, dict[str, Any]] = {}
    for path in paths:
        entries |= read_json(path)
    names = tuple(next(iter(entries.values()), {}) if classes is None else classes)
    return {case: [_prompt(entry[name]) for name in names] for case, entry in entries.items()}, names


def _prompt(entry: Mapping[str, Any] | None) -> Prompt | None:
    if entry is None:
        return None
    negative = tuple(tuple(point) for point in entry["negative"])
    return Prompt(tuple(entry["box"]), tuple(entry["positive"]), negative)
