"""Paired differences between methods over cases: intervals, Wilcoxon's test, Holm's correction.

A case counts once, whatever its number of classes and seeds: it is the case that was drawn at random.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from samcarry.evaluation.summary import case_dice

# With five cases that differ, the smallest two-sided p is 2 / 2^5 = 0.06, whatever the data say.
FEWEST_CASES_TO_TEST = 6
FEWEST_CASES_FOR_AN_INTERVAL = 3

COLUMNS = (
    "method", "against", "difference", "low", "high", "p", "p_holm", "better", "wins", "losses", "cases"
)  # fmt: skip


def all_pairs(methods: Sequence[str]) -> list[tuple[str, str]]:
    """Every pair of methods once, the later one against the earlier one."""
    return [(later, earlier) for earlier, later in itertools.combinations(methods, 2)]


def compare(rows: pd.DataFrame, pairs: Sequence[tuple[str, str]], seed: int = 0) -> pd.DataFrame:
    """Paired differences over cases, in percent points of Dice; a pair without common cases is left out.

    Columns: method, against, difference (mean), low, high (95 % bootstrap interval over cases, BCa,
    10,000 resamples; not corrected for the number of pairs), p (two-sided Wilcoxon signed-rank test),
    p_holm (corrected for all pairs of the table), better (share of cases), wins, losses, cases (counts;
    the cases that are neither won nor lost are ties). p is NaN where fewer than six cases differ,
    the interval where there are fewer than three cases or where all differ by the same.

    Args:
        rows: of dice.csv, of one n.
        pairs: (method, against) in the order of the table.
        seed: of the bootstrap.
    """
    cases = case_dice(rows)
    table = []
    for method, against in pairs:
        if method not in cases or against not in cases:
            continue
        # Dice has six decimals in dice.csv: beyond nine there is nothing but noise, which would break ties.
        difference = (100 * (cases[method] - cases[against])).dropna().round(9).to_numpy()
        if not len(difference):
            continue
        low, high = _interval(difference, seed)
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        table.append(
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
    found = pd.DataFrame(table, columns=[name for name in COLUMNS if name != "p_holm"])
    found.insert(COLUMNS.index("p_holm"), "p_holm", holm(found["p"].to_numpy(dtype=float)))
    return found


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """P values (test,) after Holm's step-down correction for all of them.

    Tests without a p (NaN) keep none, but count among the tests that are corrected for.
    """
    order = np.argsort(p)  # NaN comes last
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
