"""Promises that hold for a chosen share of new patients: split conformal prediction.

A score says how much of something one patient needs, such as how far a contour has to move until it encloses
the true object. If validation patients and new ones are exchangeable, a new patient's score is at most the
ceil((m + 1) · coverage)-th smallest of the scores of m validation patients with at least the probability
`coverage` (Vovk et al., Algorithmic Learning in a Random World, 2005; Lei et al., J Am Stat Assoc 113:1094,
2018). Nothing is assumed of the network or of how the scores are distributed. Patients are the unit, because
images of one patient are not exchangeable with those of another one; a patient's score is the largest of its
images, so that the promise is for all of them.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-9


def patients_needed(coverage: float) -> int:
    """The fewest validation patients that can promise a coverage above 0 and below 1."""
    return max(1, math.ceil(coverage / (1 - coverage) - _ROUNDING))


def promised(scores: Sequence[float], coverage: float) -> float | None:
    """What a new patient's score is at most, with the probability `coverage`; None without a promise.

    Args:
        scores: one score for each validation patient.
        coverage: above 0 and below 1.
    """
    place = math.ceil((len(scores) + 1) * coverage - _ROUNDING)
    if place > len(scores):
        return None
    return sorted(scores)[max(place, 1) - 1]


def why_not(scores: Sequence[float], coverage: float) -> str:
    """Why nothing can be promised; '' if something can."""
    if promised(scores, coverage) is not None:
        return ""
    needed = patients_needed(coverage)
    return f"cannot promise: needs at least {needed} validation patients, there are {len(scores)}"


def of_patients(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """{patient: largest score of its images}, from (patient, score); a score of NaN does not count."""
    largest: dict[str, float] = {}
    for patient, score in scores:
        if not math.isnan(score):
            largest[patient] = max(score, largest.get(patient, -math.inf))
    return largest


def p_value(score: float, scores: Sequence[float]) -> float:
    """The conformal p value of a score: the share of patients, the new one included, that have none smaller.

    If the new patient is exchangeable with the m of `scores`, it is at most p with a probability of at most
    p. It is never below 1 / (m + 1).
    """
    return (1 + sum(other >= score for other in scores)) / (len(scores) + 1)


def exact_interval(count: int, total: int) -> tuple[float, float]:
    """The exact binomial 95 % interval of a share (Clopper and Pearson 1934); NaN without observations."""
    if not total:
        return math.nan, math.nan
    from scipy import stats  # here, because a prediction needs no such interval, and it takes half a second

    found = stats.binomtest(count, total).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


def smallest_shifts(
    levels: NDArray[np.floating], truth: NDArray[np.bool_], tolerance: float
) -> tuple[float, float]:
    """The smallest shifts with which an outer mask holds an object, and an inner mask is inside it.

    The outer mask of a shift s is where `levels` is at most s, the inner mask is where it is below −s.
    "Holds" and "inside" tolerate some pixels: the object's pixels outside the outer mask, and the inner
    mask's pixels outside the object, are each at most `tolerance` times the object's pixels. Whatever holds
    for a shift holds for every larger one.

    Args:
        levels: the place of each pixel relative to a predicted contour (height, width): negative inside,
            positive outside, increasing outwards.
        truth: the true mask, (height, width).
        tolerance: a share of the object's pixels, 0..1.

    Returns:
        The outer and the inner shift, 0 and up; NaN if the object is absent, so that nothing has to hold.
    """
    pixels = int(truth.sum())
    if not pixels:
        return math.nan, math.nan
    spared = min(math.floor(tolerance * pixels + _ROUNDING), pixels - 1)
    inside, last = levels[truth], pixels - 1 - spared
    outer = float(np.partition(inside, last)[last])
    wrong = levels[(levels < 0) & ~truth]
    inner = -float(np.partition(wrong, spared)[spared]) if spared < len(wrong) else 0.0
    return max(0.0, outer), inner
