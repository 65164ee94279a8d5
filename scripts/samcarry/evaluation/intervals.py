"""95 % intervals of means over cases, by patient: images of one patient are not independent of each other.

The mean is the one that tables show, over cases. Its uncertainty is that of another sample of patients.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

Scale = Literal["share", "length", "difference"]
"""What is averaged: shares 0..1 such as Dice, lengths of 0 or more, or numbers without bounds."""

Values = NDArray[np.float64]

FEWEST_PATIENTS = 6
FEWEST_PATIENTS_TO_RESAMPLE = 20
RESAMPLES = 10_000
NONE, STUDENT, BCA = f"none: fewer than {FEWEST_PATIENTS} patients", "Student's t", "BCa bootstrap"
_MOST = 1 - 1 / RESAMPLES


@dataclass(frozen=True)
class Interval:
    """The interval of one mean, in the unit of its values.

    Attributes:
        low: lower end; NaN if there is no interval.
        high: upper end.
        method: how it was computed, or why there is none.
        patients: number of patients.
    """

    low: float
    high: float
    method: str
    patients: int


def method_for(patients: int) -> str:
    """How the interval of a mean is computed, by the number of patients.

    - Fewer than 6: not at all. Nothing shows how skewed the scores are; a bootstrap of 3 patients covers the
      true mean in two thirds of the data sets only.
    - 6 to 19: Student's t, on the logit scale for shares and on the log scale for lengths. Dice has a long
      tail towards 0, and on its own scale the interval misses the mean too often (87 to 91 % coverage at 6
      patients with strong skew instead of 94 to 95 %). Differences between methods are much less skewed:
      theirs is the plain t interval.
    - 20 or more: the bias-corrected and accelerated bootstrap (BCa; Efron, J Am Stat Assoc 82:171, 1987;
      DiCiccio and Efron, Stat Sci 11:189, 1996), which follows the skew of the data. Patients are resampled
      with all their images (Field and Welsh, J R Stat Soc B 69:369, 2007). A bootstrap distribution of P
      patients is too narrow, by the factor sqrt((P - 1) / P) and because it ignores Student's t; the level is
      raised to make up for that (Hesterberg, Am Stat 69:371, 2015).

    Patients with several images weigh more in a mean over cases. The variance is corrected for that as in
    Bell and McCaffrey (Surv Methodol 28:169, 2002), and the degrees of freedom are those of the effective
    number of patients, the inverse of the sum of squared weights.

    Simulated coverage is in tests/unit/evaluation/test_coverage.py: 93 to 97 % for scores distributed like
    Dice. No method reaches this where a few images fail entirely, say 5 to 10 % of them: a sample of 6 to 24
    patients then often contains no failure at all, and coverage is 84 to 93 %.
    """
    if patients < FEWEST_PATIENTS:
        return NONE
    return STUDENT if patients < FEWEST_PATIENTS_TO_RESAMPLE else BCA


def by_patient(values: pd.Series, patients: Mapping[str, str] | None) -> pd.DataFrame:
    """Sum and number of the known values of each patient, as columns `sum` and `count`.

    Args:
        values: one value per case, indexed by case; NaN does not count.
        patients: {case: patient}; None if every case is a patient of its own.
    """
    known = values.dropna()
    owners = known.index if patients is None else [patients[case] for case in known.index]
    return known.groupby(np.asarray(owners, dtype=object)).agg(["sum", "count"])


def interval_of(
    values: pd.Series, patients: Mapping[str, str] | None, scale: Scale, seed: int = 0
) -> Interval:
    """The 95 % interval of the mean of a value over cases; arguments as for `by_patient` and `intervals`."""
    return interval_of_ratio(by_patient(values, patients), scale, seed)


def interval_of_ratio(table: pd.DataFrame, scale: Scale, seed: int = 0) -> Interval:
    """The 95 % interval of all sums together by all counts together.

    Args:
        table: columns `sum` and `count` with one row per patient.
        scale: what is averaged.
        seed: seed of the bootstrap.
    """
    sums, counts = (table[name].to_numpy(dtype=float) for name in ("sum", "count"))
    low, high = intervals(sums, counts, scale, seed=seed)
    return Interval(float(low), float(high), method_for(len(table)), len(table))


def intervals(
    sums: Values, counts: Values, scale: Scale, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Values, Values]:
    """Lower and upper ends of the 95 % intervals of sums.sum() / counts.sum(), see `method_for`.

    An end is NaN with too few patients, or if all patients have the same mean.

    Args:
        sums: sums of each patient's values (..., patient).
        counts: number of each patient's values (patient), 1 or more.
        scale: what is averaged.
        resamples: number of bootstrap samples.
        seed: seed of the bootstrap.
    """
    method = method_for(len(counts))
    low = np.full(sums.shape[:-1], np.nan)
    high = low.copy()
    if method == NONE:
        return low, high
    weights = counts / counts.sum()
    means = sums.sum(axis=-1) / counts.sum()
    errors = np.sqrt(((sums - means[..., None] * counts) ** 2).sum(axis=-1)) / counts.sum()
    spread = errors > 1e-9
    square = (weights**2).sum()
    inflation = np.sqrt(square / (weights**2 * (1 - 2 * weights + square)).sum())
    quantile = inflation * stats.t.ppf(0.975, 1 / square - 1)
    if method == STUDENT:
        low[spread], high[spread] = _around(means[spread], quantile * errors[spread], scale)
    elif spread.any():
        level = min(2 * stats.norm.cdf(quantile) - 1, _MOST)
        low[spread], high[spread] = _bca(sums[spread], counts, level, resamples, seed)
    return low, high


def explain_intervals(table: pd.DataFrame) -> str:
    """What the intervals of a table with the columns `interval` and `patients` are, as a sentence."""
    methods = [method for method in table["interval"].unique() if method not in ("", NONE)]
    patients = table["patients"].max()
    if not methods:
        return (
            f"Means have no interval, because there are fewer than {FEWEST_PATIENTS} patients "
            f"({patients:.0f})."
        )
    return (
        f"In brackets: the 95 % interval of the mean, by patient ({' or '.join(methods)}, {patients:.0f} "
        "patients)."
    )


def _around(means: Values, reach: Values, scale: Scale) -> tuple[Values, Values]:
    """The ends of intervals that are symmetric on a scale without bounds."""
    if scale == "share":
        centre, reach = special.logit(means), reach / (means * (1 - means))
        return special.expit(centre - reach), special.expit(centre + reach)
    if scale == "length":
        return means * np.exp(-reach / means), means * np.exp(reach / means)
    return means - reach, means + reach


def _bca(sums: Values, counts: Values, level: float, resamples: int, seed: int) -> tuple[Values, Values]:
    def mean(sums: Values, counts: Values, axis: int) -> Any:
        return sums.sum(axis=axis) / counts.sum(axis=axis)

    result = stats.bootstrap(
        (sums, np.broadcast_to(counts, sums.shape)),
        mean,
        paired=True,
        axis=-1,
        n_resamples=resamples,
        batch=max(1, 1_000_000 // sums.size),  # memory for this many numbers at a time
        confidence_level=level,
        method="BCa",
        rng=np.random.default_rng(seed),
    )
    return result.confidence_interval.low, result.confidence_interval.high
