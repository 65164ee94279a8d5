"""Paired differences between methods over cases: intervals, Wilcoxon's test, Holm's correction.

Each case counts once, whatever its number of classes and seeds, because cases are what was sampled.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from samcarry.evaluation.summary import case_dice

# With five cases that differ, the smallest possible two-sided p is 2 / 2^5 = 0.06.
FEWEST_CASES_TO_TEST = 6
FEWEST_CASES_FOR_AN_INTERVAL = 3

COLUMNS = (
    "method",
    "against",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "better",
    "wins",
    "losses",
    "cases",
)


def all_pairs(methods: Sequence[str]) -> list[tuple[str, str]]:
    """All pairs of methods, each once, the later method against the earlier one."""
    return [(later, earlier) for earlier, later in itertools.combinations(methods, 2)]


def compare(rows: pd.DataFrame, pairs: Sequence[tuple[str, str]], seed: int = 0) -> pd.DataFrame:
    """One row per pair of methods: the paired difference in percentage points of Dice, and its tests.

    A pair without common cases is left out. Columns:

    - method, against: ids of the two methods;
    - difference: mean over cases of the Dice of `method` minus that of `against`;
    - low, high: 95 % bootstrap interval over cases (BCa, 10,000 resamples), not corrected for the number
      of pairs; NaN with fewer than three cases, or if all cases differ by the same amount;
    - p: two-sided Wilcoxon signed-rank test; NaN if fewer than six cases differ;
    - p_holm: p corrected for all pairs of the table;
    - better: share of cases in which `method` is better, 0..1;
    - wins, losses, cases: counts; the remaining cases are ties.

    Args:
        rows: rows of dice.csv for one n.
        pairs: (method, against) in the order of the table.
        seed: seed of the bootstrap.
    """
    cases = case_dice(rows)
    table_rows = []
    for method, against in pairs:
        if method not in cases or against not in cases:
            continue
        # Dice has six decimals in dice.csv. Rounding to nine removes floating-point noise that breaks ties.
        difference = (100 * (cases[method] - cases[against])).dropna().round(9).to_numpy()
        if not len(difference):
            continue
        low, high = _interval(difference, seed)
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        table_rows.append(
            {
                "method": method,
                "against": against,
                "difference": difference.mean(),
                "low": low,
                "high": high,
                "p": _p(difference),
                "better": wins / len(difference),
                "wins": wins,
                "losses": losses,
                "cases": len(difference),
            }
        )
    table = pd.DataFrame(table_rows, columns=[name for name in COLUMNS if name != "p_holm"])
    table.insert(COLUMNS.index("p_holm"), "p_holm", holm(table["p"].to_numpy(dtype=float)))
    return table


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """P values (test,) after Holm's step-down correction for all of them.

    A test without a p value (NaN) stays NaN but counts in the number of tests. statsmodels has this
    correction too; ten lines are not worth the dependency.
    """
    order = np.argsort(p)  # NaN is sorted last
    steps = np.arange(len(p), 0, -1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(steps * p[order]), 1)
    return corrected


def _p(differences: NDArray[np.float64]) -> float:
    if np.count_nonzero(differences) < FEWEST_CASES_TO_TEST:
        return np.nan
    return float(stats.wilcoxon(differences).pvalue)


def _interval(differences: NDArray[np.float64], seed: int) -> tuple[float, float]:
    if len(differences) < FEWEST_CASES_FOR_AN_INTERVAL or np.ptp(differences) == 0:
        return np.nan, np.nan
    result = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=10_000,
        confidence_level=0.95,
        method="BCa",
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
