"""What labelled cases show of the classes: their areas and places, and which of them occur together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST_AREA_VARIANCE = 0.02
"""Of log areas: a few cases may happen to have equal areas."""
_LEAST_PLACE_VARIANCE = 1.0
"""Of places, in square pixels."""


@dataclass(frozen=True)
class Objects:
    """The objects of one case.

    Attributes:
        areas: pixels of each class (C,); 0 if it is absent.
        centres: row and column of each class in pixels (C, 2); 0 if it is absent.
    """

    areas: NDArray[np.float64]
    centres: NDArray[np.float64]


@dataclass(frozen=True)
class Anatomy:
    """What some labelled cases show of C classes, at network size.

    Attributes:
        cases: number of cases.
        together: in how many cases two classes both occur (C, C); the diagonal counts single classes.
        area: mean of the logarithm of the area in pixels (C,).
        area_spread: its standard deviation (C,), above 0.
        centre: mean row and column in pixels (C, 2).
        centre_spread: their standard deviations (C, 2), above 0.
    """

    cases: int
    together: NDArray[np.int64]
    area: NDArray[np.float64]
    area_spread: NDArray[np.float64]
    centre: NDArray[np.float64]
    centre_spread: NDArray[np.float64]


def which_have_pixels(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the masks (class, height, width) are not empty (class,)."""
    return np.asarray(masks.any(axis=(1, 2)))


def find_objects(masks: NDArray[np.bool_]) -> Objects:
    """Areas and centres of masks (class, height, width)."""
    rows, columns = masks.sum(axis=2), masks.sum(axis=1)
    areas = rows.sum(axis=1).astype(float)
    sums = [marginal @ np.arange(marginal.shape[1]) for marginal in (rows, columns)]
    return Objects(areas, np.stack(sums, axis=1) / np.maximum(areas, 1)[:, None])


def measure_anatomy(cases: Sequence[Objects]) -> Anatomy:
    """The anatomy of labelled cases, at least one.

    A class that occurs in none of them gets the means of the other classes, and one that occurs once their
    spread.
    """
    areas = np.stack([case.areas for case in cases])
    centres = np.stack([case.centres for case in cases])
    there = areas > 0
    area, area_spread = _mean_and_spread(np.log(np.maximum(areas, 1))[..., None], there, _LEAST_AREA_VARIANCE)
    centre, centre_spread = _mean_and_spread(centres, there, _LEAST_PLACE_VARIANCE)
    counts = there.astype(np.int64)
    return Anatomy(len(cases), counts.T @ counts, area[:, 0], area_spread[:, 0], centre, centre_spread)


def _mean_and_spread(
    values: NDArray[np.float64], there: NDArray[np.bool_], least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread (C, D) of values (case, C, D) where a class is there; `least` is a variance."""
    weight = there[..., None].astype(float)
    count = weight.sum(axis=0)
    overall = (values * weight).sum(axis=(0, 1)) / max(weight.sum(), 1)
    mean = np.where(count > 0, (values * weight).sum(axis=0) / np.maximum(count, 1), overall)
    variance = ((values - mean) ** 2 * weight).sum(axis=0) / np.maximum(count, 1)
    known = count > 1
    usual = (variance * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return mean, np.sqrt(np.where(known, variance, usual) + least)
