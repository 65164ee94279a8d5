"""How well given masks agree with networks that did not learn from them, and how well they usually do.

The measure is the soft Dice score of a mask and a probability map. It is low where networks disagree with a
label and where they are unsure. A correction that networks would prefer raises it only if they are sure of
it, which is the idea of confident learning.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samcarry.storage.probabilities import foreground

_MIN_SCALE = 0.03
"""Lower limit of a class's scale: labels of few cases may be alike by chance."""

_SHRINK = 10
"""A class in this many cases weighs as much as the mean of all classes in its own scale."""

_PRIOR = 0.5
"""Added to counts, so that what no case shows is unlikely and not impossible."""


@dataclass(frozen=True)
class Judged:
    """One case: given labels and what networks that did not learn from them see.

    Attributes:
        case: its name.
        given: masks (class, height, width).
        seen: mean probability of the networks times 255, uint8 (class, height, width).
        networks: how many networks there are.
    """

    case: str
    given: NDArray[np.bool_]
    seen: NDArray[np.uint8]
    networks: int


@dataclass(frozen=True)
class Usual:
    """The usual agreement of each class over all cases; arrays (class,).

    Attributes:
        median: of the agreement in cases that have the class.
        scale: of the lower tail, as of an exponential distribution.
        cases: number of cases.
        claims: sum of how surely networks see the class, 0..1 each, in the cases labelled without it.
    """

    median: NDArray[np.float64]
    scale: NDArray[np.float64]
    cases: int
    claims: NDArray[np.float64]


def overlaps(given: NDArray[np.bool_], seen: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Soft Dice (class, class) of each given mask with each class's probabilities; 0 for an empty mask."""
    masks = given.reshape(len(given), -1).astype(np.float32)
    maps = seen.reshape(len(seen), -1).astype(np.float32) / 255
    mask_sizes = masks.sum(axis=1)
    sizes = mask_sizes[:, None] + maps.sum(axis=1)
    common = 2 * masks @ maps.T
    return np.where(mask_sizes[:, None] > 0, common / np.maximum(sizes, 1e-6), 0).astype(float)


def agreements(given: NDArray[np.bool_], seen: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Soft Dice (class,) of each given mask with its own class; 0 for an empty mask."""
    common = 2 * (given * seen).sum(axis=(1, 2), dtype=np.int64) / 255
    mask_sizes = given.sum(axis=(1, 2))
    sizes = mask_sizes + seen.sum(axis=(1, 2), dtype=np.int64) / 255
    return np.asarray(np.where(mask_sizes > 0, common / np.maximum(sizes, 1e-6), 0), dtype=float)


def sureness(seen: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Soft Dice (class,) of the networks' own masks with their probabilities; 0 where they draw nothing."""
    return agreements(foreground(seen), seen)


def usual_agreement(cases: Sequence[Judged]) -> Usual:
    """The usual agreement; robust, so that errors in a tenth of the labels hardly change it."""
    agreement = np.array([agreements(case.given, case.seen) for case in cases])
    sure = np.array([sureness(case.seen) for case in cases])
    present = np.array([case.given.any(axis=(1, 2)) for case in cases])
    counts = present.sum(axis=0)
    median, scale = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    for index in np.flatnonzero(counts):
        values = agreement[present[:, index], index]
        median[index] = np.median(values)
        # The fifth of the cases with the least agreement begins here.
        scale[index] = (median[index] - np.quantile(values, 0.2)) / np.log(0.5 / 0.2)
    of_all = (np.nanmedian(median), np.nanmean(scale)) if counts.any() else (0.5, _MIN_SCALE)
    median = np.where(counts, median, of_all[0])
    scale = (counts * np.nan_to_num(scale) + _SHRINK * of_all[1]) / (counts + _SHRINK)
    median = np.maximum(median, _MIN_SCALE)
    claims = (np.clip(sure / median, 0, 1) * ~present).sum(axis=0)
    return Usual(median, np.maximum(scale, _MIN_SCALE), len(cases), claims)
