"""Paired differences between methods: intervals, tests and effect sizes by patient, and ranks by bootstrap.

The difference itself is a mean over cases: each case counts once, whatever its number of classes and seeds.
Its uncertainty is by patient, because patients are what was sampled.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from samcarry.evaluation.intervals import FEWEST_PATIENTS, RESAMPLES, by_patient, interval_of_ratio
from samcarry.evaluation.summary import Patients, case_dice, competes

# With five patients that differ, the smallest possible two-sided p is 2 / 2^5 = 0.06.
FEWEST_PATIENTS_TO_TEST = 6

Pair = tuple[str, str]

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
    "patients",
    "effect",
    "primary",
    "equal",
)


def all_pairs(methods: Sequence[str]) -> list[tuple[str, str]]:
    """All pairs of methods, each once, the later method against the earlier one."""
    return [(later, earlier) for earlier, later in itertools.combinations(methods, 2)]


def compare(
    rows: pd.DataFrame,
    pairs: Sequence[Pair],
    patients: Patients = None,
    *,
    primary: Sequence[str] | None = None,
    margin: float | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per pair of methods: the paired difference in percentage points of Dice, and its tests.

    A pair without common cases is left out. Columns:

    - method, against: ids of the two methods;
    - difference: mean over cases of the Dice of `method` minus that of `against`;
    - low, high: 95 % interval by patient (see `intervals.method_for`), not corrected for the number of pairs;
      NaN with fewer than six patients, or if all patients differ by the same amount;
    - p: two-sided Wilcoxon signed-rank test of the patients' mean differences; NaN if fewer than six patients
      differ;
    - p_holm: p corrected for all pairs of the table but the primary one, which has none;
    - better: share of cases in which `method` is better, 0..1;
    - wins, losses, cases: numbers of cases; the remaining cases are ties;
    - patients: number of patients;
    - effect: mean by standard deviation of the patients' mean differences (Cohen's d_z); NaN with fewer
      than two patients, or if all patients differ by the same amount;
    - primary: 1 for the primary comparison, else 0;
    - equal: 1 if the interval is within ±margin, else 0; NaN without an interval or margin.

    Args:
        rows: rows of dice.csv for one n.
        pairs: (method, against) in the order of the table.
        patients: {case: patient}.
        primary: the two methods of the comparison that was declared in advance, in any order.
        margin: difference in points of Dice up to which two methods count as equal.
        seed: seed of the bootstrap.
    """
    cases = case_dice(rows)
    table_rows = []
    for method, against in pairs:
        if method not in cases or against not in cases:
            continue
        # Dice has six decimals in dice.csv. Rounding to nine removes floating-point noise that breaks ties.
        difference = (100 * (cases[method] - cases[against])).dropna().round(9)
        if not len(difference):
            continue
        table = by_patient(difference, patients)
        interval = interval_of_ratio(table, "difference", seed)
        of_patients = (table["sum"] / table["count"]).round(9)
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        equal = np.nan
        if margin is not None and not np.isnan(interval.low):
            equal = float(-margin <= interval.low and interval.high <= margin)
        table_rows.append(
            {
                "method": method,
                "against": against,
                "difference": difference.mean(),
                "low": interval.low,
                "high": interval.high,
                "p": _p(of_patients.to_numpy()),
                "better": wins / len(difference),
                "wins": wins,
                "losses": losses,
                "cases": len(difference),
                "patients": interval.patients,
                "effect": _effect(of_patients),
                "primary": int(primary is not None and {method, against} == set(primary)),
                "equal": equal,
            }
        )
    found = pd.DataFrame(table_rows, columns=[name for name in COLUMNS if name != "p_holm"])
    corrected = found["p"].to_numpy(dtype=float, copy=True)
    others = found["primary"].to_numpy() != 1
    corrected[others] = holm(corrected[others])
    corrected[~others] = np.nan
    found.insert(COLUMNS.index("p_holm"), "p_holm", corrected)
    return found


def rank_stability(
    rows: pd.DataFrame,
    methods: Sequence[str],
    patients: Patients = None,
    not_converged: Mapping[str, str] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """How often each method would have each rank in other samples of patients, by a bootstrap of patients.

    Columns: method; rank, by mean Dice (equal means share the better rank); low and high, which contain the
    rank in 95 % of the resamples; and rank_1, rank_2, ..., the share of resamples with this rank, 0..1. With
    fewer than six patients, low, high and the shares are NaN. Only cases that all methods have count.

    Args:
        rows: rows of dice.csv for one n.
        methods: ids in the order of the table; those without rows or rank are left out.
        patients: {case: patient}.
        not_converged: {method: reason}; these have no rank.
        seed: seed of the bootstrap.
    """
    cases = case_dice(rows)
    ranked = [name for name in methods if name in cases and competes(name, not_converged or {})]
    known = cases[ranked].dropna().round(9)
    parts = {name: by_patient(known[name], patients) for name in ranked}
    shares = [f"rank_{place}" for place in range(1, len(ranked) + 1)]
    if not ranked or known.empty:
        return pd.DataFrame(columns=["method", "rank", "low", "high", *shares])
    sums = np.column_stack([part["sum"] for part in parts.values()])
    counts = parts[ranked[0]]["count"].to_numpy()
    found = pd.DataFrame({"method": ranked, "rank": _ranks(sums.sum(axis=0)[None])[0]})
    if len(counts) < FEWEST_PATIENTS:
        return found.assign(low=np.nan, high=np.nan, **dict.fromkeys(shares, np.nan))
    drawn = np.random.default_rng(seed).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), size=RESAMPLES
    )
    ranks = _ranks(drawn @ sums / (drawn @ counts)[:, None])
    found["low"], found["high"] = np.quantile(ranks, [0.025, 0.975], axis=0, method="inverted_cdf")
    for place, name in enumerate(shares, start=1):
        found[name] = (ranks == place).mean(axis=0)
    return found


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.int_]:
    """Ranks (sample, method) of scores, 1 for the highest; equal ones share the better rank."""
    ranks: NDArray[np.int_] = stats.rankdata(-scores.round(9), axis=1, method="min").astype(int)
    return ranks


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
    if np.count_nonzero(differences) < FEWEST_PATIENTS_TO_TEST:
        return np.nan
    return float(stats.wilcoxon(differences).pvalue)


def _effect(differences: pd.Series) -> float:
    deviation = differences.std()
    return float(differences.mean() / deviation) if deviation > 0 else np.nan
