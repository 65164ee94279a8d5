"""Whether a method says correctly that a class is there: sensitivity, specificity and AUROC of whole images.

Dice is undefined where a class is absent, so a method that draws what usually is there loses nothing by it.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats

from samcarry.evaluation.summary import Patients

COLUMNS = (
    "method",
    "class",
    "seeds",
    "present",
    "absent",
    "sensitivity",
    "sensitivity_low",
    "sensitivity_high",
    "specificity",
    "specificity_low",
    "specificity_high",
    "auroc",
    "auroc_low",
    "auroc_high",
)

_Z = float(stats.norm.ppf(0.975))


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share 0..1 of `count` independent observations (Wilson 1927); NaN if 0."""
    if count == 0 or math.isnan(share):
        return math.nan, math.nan
    centre = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    reach = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    # Rounding must not leave out a share of 0 or 1.
    return max(0.0, min(centre - reach, share)), min(1.0, max(centre + reach, share))


def auroc(values: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The probability that a positive case has a greater value than a negative one; ties count half."""
    if positive.all() or not positive.any():
        return np.nan
    statistic = stats.mannwhitneyu(values[positive], values[~positive]).statistic
    return float(statistic / (positive.sum() * (~positive).sum()))


def auroc_interval(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """The 95 % score interval of an AUROC 0..1 from independent positives and negatives.

    Method 5 of Newcombe (Stat Med 25:559, 2006), which is to an AUROC what Wilson's interval is to a share:
    the values whose own standard error (Hanley and McNeil 1982) is consistent with the one that was found.
    DeLong's interval has no width at an AUROC of 1, which is frequent with few cases.
    """
    if positives == 0 or negatives == 0 or math.isnan(value):
        return math.nan, math.nan
    mean = (positives + negatives) / 2 - 1

    def beyond(true: float) -> float:
        spread = 1 + mean * ((1 - true) / (2 - true) + true / (1 + true))
        return (true - value) ** 2 - _Z**2 * true * (1 - true) * spread / (positives * negatives)

    low = optimize.brentq(beyond, 0, value - 1e-9) if value > 0 else 0.0
    high = optimize.brentq(beyond, value + 1e-9, 1) if value < 1 else 1.0
    return float(low), float(high)


def detection_table(rows: pd.DataFrame, methods: Sequence[str], patients: Patients = None) -> pd.DataFrame:
    """One row per method and class: how well its masks say whether the class is in an image.

    Columns:

    - method, class, and the number of seeds;
    - present, absent: numbers of cases with and without the class;
    - sensitivity: share of the cases with the class in which the method draws it, 0..1;
    - specificity: share of the cases without the class in which the method draws nothing, 0..1;
    - auroc: probability that the largest probability of the class is higher in a case that has it than in one
      that does not, 0..1; NaN for methods that give masks only;
    - ..._low, ..._high: 95 % intervals (Wilson; Newcombe for the AUROC). Their number of observations is the
      number of patients, which is cautious if patients have several images.

    A value is NaN if no case could show it. With several seeds, it is the mean over seeds.

    Args:
        rows: rows of dice.csv for one n.
        methods: ids in the order of the table; those without rows are left out.
        patients: {case: patient}.
    """
    owners = rows["case"] if patients is None else rows["case"].map(patients)
    rows = rows.assign(patient=owners, drawn=rows["predicted_px"] > 0, there=rows["reference_px"] > 0)
    table = []
    for method in methods:
        own = rows[rows["method"] == method]
        for name, of_class in own.groupby("class", sort=False):
            there, absent = of_class[of_class["there"]], of_class[~of_class["there"]]
            counts = [part["patient"].nunique() for part in (there, absent)]
            sensitivity, specificity = there["drawn"].mean(), 1 - absent["drawn"].mean()
            area = _mean_auroc(of_class)
            intervals = (
                wilson(sensitivity, counts[0]),
                wilson(specificity, counts[1]),
                auroc_interval(area, *counts),
            )
            table.append(
                (
                    method,
                    name,
                    of_class["seed"].nunique(),
                    there["case"].nunique(),
                    absent["case"].nunique(),
                    *(sensitivity, *intervals[0]),
                    *(specificity, *intervals[1]),
                    *(area, *intervals[2]),
                )
            )
    return pd.DataFrame(table, columns=COLUMNS)


def _mean_auroc(rows: pd.DataFrame) -> float:
    """The mean over seeds of the AUROC of one method and class."""
    if rows["probability"].isna().any():
        return math.nan
    of_seeds = [
        auroc(of_seed["probability"].to_numpy(dtype=float), of_seed["there"].to_numpy())
        for _, of_seed in rows.groupby("seed")
    ]
    return float(np.mean(of_seeds))
