"""SAM's answer for a case, and its IoU estimates as a CSV file; needs no torch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.storage.tables import read_table, write_table

_COLUMNS = ("case", "class", "iou")


@dataclass(frozen=True)
class Refined:
    """SAM's answer for one case: masks (class, height, width), its own IoU estimate (class,).

    An absent class has an empty mask and NaN as quality.
    """

    masks: NDArray[np.bool_]
    quality: NDArray[np.float32]


def write_quality(path: str | Path, refined: Mapping[str, Refined], classes: Sequence[str]) -> None:
    """Write SAM's IoU estimates as CSV, atomically: case, class, iou; present classes only."""
    rows = [
        (case, name, f"{iou:.4f}")
        for case, answer in refined.items()
        for name, iou in zip(classes, answer.quality.tolist(), strict=True)
        if not math.isnan(iou)
    ]
    write_table(path, _COLUMNS, rows)


def read_estimates(path: str | Path) -> dict[tuple[str, str], float]:
    """{(case, class): SAM's estimate of the IoU of its mask} of a shard; present classes alone have one."""
    return {(row["case"], row["class"]): float(row["iou"]) for row in read_table(path, _COLUMNS)}


def read_quality(path: str | Path, classes: Sequence[str]) -> dict[str, list[float]]:
    """SAM's IoU estimates of a shard, as {case: one a class}, NaN where a class is absent."""
    place = {name: index for index, name in enumerate(classes)}
    quality: dict[str, list[float]] = {}
    for (case, name), iou in read_estimates(path).items():
        quality.setdefault(case, [math.nan] * len(classes))[place[name]] = iou
    return quality
