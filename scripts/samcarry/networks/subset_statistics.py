"""Statistics of a training subset X^n: mean and deviation of grey values, and class weights."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.storage.reading import reading_made
from samcarry.storage.texts import read_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubsetStatistics:
    """Statistics of X^n, computed only from its cases (reference values: paper §3.1).

    Attributes:
        cases: the n cases.
        classes: all classes, including those that are absent in X^n.
        mean: mean of the grey values / 255.
        std: standard deviation of the grey values / 255.
        positive_weight: background / foreground pixels of each class, at most the cap.
    """

    cases: tuple[str, ...]
    classes: tuple[str, ...]
    mean: float
    std: float
    positive_weight: tuple[float, ...]


def read_statistics(path: str | Path) -> SubsetStatistics:
    """Statistics from a JSON file with the fields of `SubsetStatistics`.

    Raises:
        DamagedError: the file is missing or damaged.
    """
    with reading_made(path, "these statistics are damaged", (TypeError,)):
        return SubsetStatistics(**read_json(path))


def subset_statistics(
    images: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    cases: Sequence[str],
    classes: Sequence[str],
    max_positive_weight: float,
) -> SubsetStatistics:
    """Statistics of images (n, height, width) and their masks (n, class, height, width).

    An absent class would have an infinite weight: it gets `max_positive_weight`, and a warning is logged.
    """
    counts = np.bincount(images.ravel(), minlength=256)
    levels = np.arange(256) / 255
    mean = float((counts * levels).sum() / images.size)
    variance = float((counts * (levels - mean) ** 2).sum() / images.size)
    foreground = masks.sum(axis=(0, 2, 3), dtype=np.int64)
    total = images.size
    weights = [
        min((total - pixels) / pixels, max_positive_weight) if pixels else max_positive_weight
        for pixels in foreground.tolist()
    ]
    absent = [name for name, pixels in zip(classes, foreground, strict=True) if pixels == 0]
    if absent:
        log.warning(
            "X^%d has no example of %s: its network cannot learn %s",
            len(cases),
            ", ".join(absent),
            "it" if len(absent) == 1 else "them",
        )
    return SubsetStatistics(
        tuple(cases),
        tuple(classes),
        mean,
        # Constant images would cause a division by zero: use at least one grey level.
        max(variance**0.5, 1 / 255),
        tuple(float(weight) for weight in weights),
    )
