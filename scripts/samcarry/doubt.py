"""Doubt: where the masks R of unlabelled cases are likely to be wrong, by signs that need no label.

Each sign, called a reason here, is measured for every case and class; more is worse. Cases are ranked within
each reason, and the doubt of a case is the mean of its ranks (see `doubt_ranking`): nothing is fitted, and no
reason outweighs another by its unit.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samcarry.cleaning import most_likely_components
from samcarry.files import atomic
from samcarry.pseudo_weights import read_estimates
from samcarry.stacks import THRESHOLD

REASONS = ("sam_quality", "agreement", "thrown_away", "presence", "size", "position", "seeds")
"""SAM's own estimate, P against R, pieces lost in cleaning, classes that appear or vanish, odd size, odd
place, and the first networks of several seeds against each other."""

LEAST_SIZE_DEVIATION = 0.2
"""Of the logarithm of an area: few labelled cases may happen to be alike."""
LEAST_POSITION_DEVIATION = 0.03
"""Of a centre, as a share of the image's diagonal."""


@dataclass(frozen=True)
class Expected:
    """What the labelled cases show of each class; arrays (class,), NaN where no case has it.

    Attributes:
        cases: how many labelled cases there are.
        present: how many of them have the class.
        log_area: mean of the logarithm of its area, as a share of the image.
        log_area_deviation: its deviation.
        centre: mean of its centre, (class, 2), rows and columns as shares of the diagonal.
        centre_deviation: root mean square distance of the centres from it.
    """

    cases: int
    present: NDArray[np.int_]
    log_area: NDArray[np.float64]
    log_area_deviation: NDArray[np.float64]
    centre: NDArray[np.float64]
    centre_deviation: NDArray[np.float64]


def expected_of(masks: Iterable[NDArray[np.bool_]], classes: int) -> Expected:
    """What labelled masks, each (class, height, width), show."""
    shapes = np.array([_shapes(case) for case in masks]).reshape(-1, classes, 3)
    present = (~np.isnan(shapes[..., 0])).sum(axis=0)
    mean, deviation = np.full((classes, 3), np.nan), np.full((classes, 3), np.nan)
    seen = present > 0
    mean[seen] = np.nanmean(shapes[:, seen], axis=0)
    deviation[seen] = np.nanstd(shapes[:, seen], axis=0)
    return Expected(
        len(shapes),
        present,
        mean[:, 0],
        np.maximum(deviation[:, 0], LEAST_SIZE_DEVIATION),
        mean[:, 1:],
        np.maximum(np.hypot(deviation[:, 1], deviation[:, 2]), LEAST_POSITION_DEVIATION),
    )


def measure(
    probabilities: Sequence[NDArray[np.uint8]],
    refined: NDArray[np.bool_],
    quality: Sequence[float],
    expected: Expected,
) -> dict[str, NDArray[np.float64]]:
    """Every reason for every class of one case, (class,); NaN where it says nothing, as of an absent class.

    Args:
        probabilities: P times 255 (class, height, width) of each seed; R was made from the first.
        refined: R (class, height, width).
        quality: SAM's IoU estimate of each class, NaN where it is absent.
        expected: what the labelled cases show.
    """
    seen = [case > THRESHOLD for case in probabilities]
    shapes = _shapes(refined)
    foreground = seen[0].sum(axis=(1, 2))
    kept = most_likely_components(probabilities[0]).sum(axis=(1, 2))
    share = (expected.present + 1) / (expected.cases + 2)
    distance = np.hypot(*(shapes[:, 1:] - expected.centre).T)
    with np.errstate(invalid="ignore"):
        return {
            "sam_quality": 1 - np.asarray(quality, dtype=float),
            "agreement": _disagreement(seen[0], refined),
            "thrown_away": 1 - kept / np.where(foreground > 0, foreground, np.nan),
            "presence": -np.log(np.where(refined.any(axis=(1, 2)), share, 1 - share)),
            "size": np.abs(shapes[:, 0] - expected.log_area) / expected.log_area_deviation,
            "position": distance / expected.centre_deviation,
            "seeds": _mean_disagreement(seen),
        }


def read_quality(path: str | Path, classes: Sequence[str]) -> dict[str, list[float]]:
    """SAM's IoU estimates of a shard, as {case: one a class}, NaN where a class is absent."""
    place = {name: index for index, name in enumerate(classes)}
    quality: dict[str, list[float]] = {}
    for (case, name), iou in read_estimates(path).items():
        quality.setdefault(case, [math.nan] * len(classes))[place[name]] = iou
    return quality


def measure_rows(
    case: str, classes: Sequence[str], measures: Mapping[str, NDArray[np.float64]], refined: NDArray[np.bool_]
) -> list[dict[str, object]]:
    """Rows of a table of measures: case, class, area (of R, share of the image), and each reason."""
    area = refined.mean(axis=(1, 2))
    return [
        {"case": case, "class": name, "area": area[index]}
        | {reason: measures[reason][index] for reason in REASONS}
        for index, name in enumerate(classes)
    ]


def write_measures(path: str | Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a table of measures as CSV, atomically; empty where a reason says nothing."""
    write_table(path, pd.DataFrame(rows, columns=["case", "class", "area", *REASONS]))


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, atomically, numbers with five decimals."""
    with atomic(path) as private:
        table.to_csv(private, index=False, float_format="%.5f", lineterminator="\n")


def _shapes(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logarithm of the area and centre (row, column) of each mask: (class, 3), NaN where it is empty."""
    height, width = masks.shape[1:]
    diagonal = math.hypot(height, width)
    pixels = masks.sum(axis=(1, 2)).astype(float)
    pixels[pixels == 0] = np.nan
    rows = (masks.sum(axis=2) * np.arange(height)).sum(axis=1) / pixels
    columns = (masks.sum(axis=1) * np.arange(width)).sum(axis=1) / pixels
    return np.stack([np.log(pixels / (height * width)), rows / diagonal, columns / diagonal], axis=1)


def _disagreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 - Dice of each class (class,); NaN where both are empty."""
    sizes = one.sum(axis=(1, 2)) + other.sum(axis=(1, 2))
    common = (one & other).sum(axis=(1, 2))
    return 1 - 2 * common / np.where(sizes > 0, sizes, np.nan)


def _mean_disagreement(several: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Mean of `_disagreement` over all pairs; NaN of a single one."""
    pairs = [_disagreement(one, other) for one, other in itertools.combinations(several, 2)]
    return np.mean(pairs, axis=0) if pairs else np.full(len(several[0]), np.nan)
