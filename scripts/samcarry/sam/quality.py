"""Refined masks of a case, and SAM's IoU estimates as a CSV file; works without torch."""

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
    """SAM's result for one case.

    Attributes:
        masks: refined masks (class, height, width); empty for an absent class.
        quality: SAM's IoU estimate (class,); NaN for an absent class.
    """

    masks: NDArray[np.bool_]
    quality: NDArray[np.float32]


def write_quality(path: str | Path, refined: Mapping[str, Refined], classes: Sequence[str]) -> None:
    """Write SAM's IoU estimates of present classes as CSV (case, class, iou), atomically."""
    rows = [
        (case, name, f"{iou:.4f}")
        for case, result in refined.items()
        for name, iou in zip(classes, result.quality.tolist(), strict=True)
        if not math.isnan(iou)
    ]
    write_table(path, _COLUMNS, rows)


def read_estimates(path: str | Path) -> dict[tuple[str, str], float]:
    """SAM's IoU estimates of a shard as {(case, class): estimate}, for present classes only."""
    return {(row["case"], row["class"]): float(row["iou"]) for row in read_table(path, _COLUMNS)}


def read_quality(path: str | Path, classes: Sequence[str]) -> dict[str, list[float]]:
    """SAM's IoU estimates of a shard as {case: one per class}; NaN for absent classes."""
    index_of = {name: index for index, name in enumerate(classes)}
    quality: dict[str, list[float]] = {}
    for (case, name), iou in read_estimates(path).items():
        quality.setdefault(case, [math.nan] * len(classes))[index_of[name]] = iou
    return quality
