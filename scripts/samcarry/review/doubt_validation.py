"""Validate doubt against the true error of R on cases with hidden labels: rank correlation and AUROC."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from samcarry.errors import InputError
from samcarry.evaluation.detection import auroc
from samcarry.evaluation.dice import mean_dice
from samcarry.storage.files import atomic
from samcarry.storage.stacks import Stack

MIN_CASES = 10
RESAMPLES = 2000
COMBINED = "doubt"


def true_errors(pairs: Iterable[tuple[Stack, Stack]]) -> pd.Series:
    """The true error of each case by name: 1 - mean Dice over the classes in the reference.

    Args:
        pairs: R and the references of each shard, as `stacks.pairs_of` gives them.
    """
    errors = {}
    for refined, reference in pairs:
        for case, truth, drawn in zip(reference.cases, reference.masks, refined.masks, strict=True):
            score = mean_dice(truth, drawn)
            if score is not None:
                errors[case] = 1 - score
    return pd.Series(errors, dtype=float)


def evidence_table(
    doubt: pd.DataFrame, errors: pd.Series, reasons: Sequence[str], used: Sequence[str], seed: int = 0
) -> pd.DataFrame:
    """How well each reason, and doubt itself, predicts the true error.

    Columns: reason, used (whether it counts in doubt), cases, spearman, low and high (95 % bootstrap
    interval of spearman over cases), auroc (the 10 % of cases with the greatest error against the rest).
    The interval is the percentile interval of 2,000 resamples of cases, with undefined correlations of
    constant resamples left out.

    Args:
        doubt: rows of doubt.csv.
        errors: the true errors, as `true_errors` returns them.
        reasons: columns of `doubt` to validate; doubt itself is the first row of the result.
        used: those of them that count in doubt.
        seed: seed of the bootstrap.

    Raises:
        InputError: fewer than ten cases have hidden labels.
    """
    values = doubt.set_index("case").reindex(errors.index)
    if len(errors) < MIN_CASES:
        raise InputError(
            f"only {len(errors)} unlabelled cases have hidden labels, but at least {MIN_CASES} are needed to "
            "validate doubt; do not request this file for data without hidden labels"
        )
    rows = [
        {
            "reason": reason,
            "used": reason == COMBINED or reason in used,
            **_validate(values[reason].to_numpy(float), errors.to_numpy(float), seed),
        }
        for reason in (COMBINED, *reasons)
    ]
    return pd.DataFrame(rows)


def draw_evidence(path: str | Path, doubt: pd.DataFrame, errors: pd.Series, table: pd.DataFrame) -> None:
    """Plot error against doubt, and the rank correlation of each reason with its interval."""
    figure = Figure(figsize=(9, 3.6), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2)
    known = doubt.set_index("case").reindex(errors.index)[COMBINED]
    left.plot(known, 100 * errors, ".", color="#0b5c8a", alpha=0.7)
    left.set(xlabel="doubt (mean rank)", ylabel="true error of R (100 - Dice, %)", xlim=(0, 1))
    left.set_ylim(bottom=0)
    left.set_title(f"{len(errors)} unlabelled cases with hidden labels", fontsize=10)
    shown = table.dropna(subset=["spearman"]).iloc[::-1]
    heights = np.arange(len(shown))
    spread = np.abs(shown[["low", "high"]].to_numpy().T - shown["spearman"].to_numpy())
    colours = ["#0b5c8a" if used else "#9aa5b1" for used in shown["used"]]
    right.hlines(heights, shown["low"], shown["high"], color=colours)
    right.scatter(shown["spearman"], heights, color=colours, zorder=3)
    right.axvline(0, color="#51606f", linewidth=0.8)
    right.set_yticks(
        heights, [r if u else f"{r} (not used)" for r, u in zip(shown["reason"], shown["used"], strict=True)]
    )
    right.set(xlabel="Spearman's correlation with the error", xlim=(min(-0.2, -spread.max()), 1))
    right.set_title("95 % bootstrap interval over cases", fontsize=10)
    with atomic(path) as private:
        figure.savefig(private)


def _validate(values: NDArray[np.float64], errors: NDArray[np.float64], seed: int) -> dict[str, float]:
    """One row of the table without the name of the reason."""
    known = ~np.isnan(values)
    values, errors = values[known], errors[known]
    undefined = {"spearman": np.nan, "low": np.nan, "high": np.nan, "auroc": np.nan}
    if len(values) < MIN_CASES or np.ptp(values) == 0 or np.ptp(errors) == 0:
        return {"cases": len(values), **undefined}
    low, high = _interval(values, errors, seed)
    return {
        "cases": len(values),
        "spearman": _spearman(values, errors),
        "low": low,
        "high": high,
        "auroc": auroc(values, errors >= np.quantile(errors, 0.9)),
    }


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's rank correlation; NaN if one of the two is constant."""
    return float(stats.spearmanr(one, other).statistic)


def _interval(values: NDArray[np.float64], errors: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """95 % percentile interval of Spearman's correlation over resamples of cases."""
    with warnings.catch_warnings():
        # A resample may be constant; its correlation is NaN and does not count.
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            (values, errors),
            _spearman,
            paired=True,
            vectorized=False,
            n_resamples=RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    low, high = np.nanpercentile(result.bootstrap_distribution, [2.5, 97.5])
    return float(low), float(high)
