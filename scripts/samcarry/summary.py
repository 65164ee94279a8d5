"""From dice.csv to the numbers that are told: mean ± deviation, paired differences, their intervals.

A case's Dice is the mean over its present classes. With several seeds, the seeds of a case are averaged
first; mean and standard deviation then go over cases. The spread over seeds is told apart.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

CASE_KEYS = ["method", "case"]


def case_dice(rows: pd.DataFrame) -> pd.DataFrame:
    """Dice of each method (columns) and case (index), 0..1, seeds averaged."""
    by_seed = rows.groupby([*CASE_KEYS, "seed"])["dice"].mean()
    return by_seed.groupby(CASE_KEYS).mean().unstack("method")


def summarise(rows: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """One row a method, in percent.

    Columns: method, seeds, cases, mean and std over cases, seed_std (the standard deviation over seeds
    of the mean over cases; empty with one seed), false_positives (share of the absent classes that
    a method draws all the same, which Dice hides).
    """
    cases = case_dice(rows)
    by_seed = rows.groupby([*CASE_KEYS, "seed"])["dice"].mean().groupby(["method", "seed"]).mean()
    absent = rows[rows["reference_px"] == 0]
    false_positives = absent.groupby("method")["predicted_px"].agg(lambda px: (px > 0).mean())
    table = []
    for method in methods:
        if method not in cases:
            continue
        values = cases[method].dropna()
        seeds = by_seed[method]
        table.append(
            {
                "method": method,
                "seeds": len(seeds),
                "cases": len(values),
                "mean": 100 * values.mean(),
                "std": 100 * values.std(),
                "seed_std": 100 * seeds.std() if len(seeds) > 1 else np.nan,
                "false_positives": 100 * false_positives.get(method, np.nan),
            }
        )
    return pd.DataFrame(table)


def compare(rows: pd.DataFrame, pairs: Sequence[tuple[str, str]], seed: int = 0) -> pd.DataFrame:
    """Paired differences over cases, in percent points of Dice.

    Columns: method, against, difference (mean), low, high (95 % bootstrap interval over cases, BCa,
    10,000 resamples), p (two-sided Wilcoxon signed-rank test), better (share of cases).
    """
    cases = case_dice(rows)
    table = []
    for method, against in pairs:
        if method not in cases or against not in cases:
            continue
        difference = (100 * (cases[method] - cases[against])).dropna().to_numpy()
        low, high = _interval(difference, seed)
        differs = len(difference) > 0 and bool(np.any(difference != 0))
        table.append(
            {
                "method": method,
                "against": against,
                "difference": difference.mean(),
                "low": low,
                "high": high,
                "p": stats.wilcoxon(difference).pvalue if differs else np.nan,
                "better": (difference > 0).mean(),
            }
        )
    return pd.DataFrame(table)


def _interval(differences: np.ndarray, seed: int) -> tuple[float, float]:
    if len(differences) < 3 or np.ptp(differences) == 0:
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


def to_markdown(
    dataset: str,
    n: int,
    split: str,
    summary: pd.DataFrame,
    differences: pd.DataFrame,
    missing: dict[str, str],
) -> str:
    """The page that a run ends with: methods side by side, their differences, what is n/a and why."""
    lines = [
        f"# {dataset}, n = {n}",
        "",
        f"Dice on the {split} split in percent: mean ± standard deviation over cases, the seeds of a case "
        "averaged first. 'Seeds ±' is the standard deviation of the mean over seeds; 'false positives' "
        "the share of absent classes that are drawn all the same.",
        "",
        "| method | Dice | seeds ± | false positives | seeds | cases |",
        "|---|---|---|---|---|---|",
    ]
    if split != "test":
        lines[2] = f"This data set has no test case: methods are judged on {split}. {lines[2]}"
    for row in summary.to_dict("records"):
        lines.append(
            f"| {row['method']} | {row['mean']:.1f} ± {_number(row['std'])} | {_number(row['seed_std'])} | "
            f"{_number(row['false_positives'])} % | {row['seeds']} | {row['cases']} |"
        )
    lines += [f"| {method} | n/a: {why} | | | | |" for method, why in missing.items()]
    if len(differences):
        lines += [
            "",
            "Paired differences over cases in points of Dice, 95 % bootstrap interval, Wilcoxon's p "
            "(two-sided, not corrected):",
            "",
            "| method | against | difference | 95 % interval | p | better in |",
            "|---|---|---|---|---|---|",
        ]
    for row in differences.to_dict("records"):
        lines.append(
            f"| {row['method']} | {row['against']} | {row['difference']:+.1f} | "
            f"{_number(row['low'], '+.1f')} to {_number(row['high'], '+.1f')} | {_number(row['p'], '.2g')} | "
            f"{100 * row['better']:.0f} % of cases |"
        )
    return "\n".join(lines) + "\n"


def _number(value: float, form: str = ".1f") -> str:
    return "–" if np.isnan(value) else format(value, form)
