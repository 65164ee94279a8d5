"""Does doubt tell where R is wrong? Rank correlation and AUROC, where hidden labels tell the true error."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from samcarry.errors import InputError
from samcarry.evaluation.dice import mean_dice
from samcarry.storage.files import atomic
from samcarry.storage.stacks import Stack

FEWEST_CASES = 10
RESAMPLES = 2000
COMBINED = "doubt"


def true_errors(pairs: Iterable[tuple[Stack, Stack]]) -> pd.Series:
    """1 - mean Dice over the classes that the reference has, of each case, by name.

    Args:
        pairs: references and R of each shard; cases without a reference are passed over.
    """
    errors = {}
    for reference, refined in pairs:
        place = {case: index for index, case in enumerate(refined.cases)}
        for case, truth in zip(reference.cases, reference.masks, strict=True):
            score = mean_dice(truth, refined.masks[place[case]])
            if score is not None:
                errors[case] = 1 - score
    return pd.Series(errors, dtype=float)


def evidence_table(
    doubt: pd.DataFrame, errors: pd.Series, reasons: Sequence[str], used: Sequence[str], seed: int = 0
) -> pd.DataFrame:
    """How well each reason, and doubt as a whole, foretells the true error.

    Columns: reason, used (whether it counts in doubt), cases, spearman, low and high (its 95 % bootstrap
    interval over cases), auroc (of the tenth of cases with the greatest error against the rest).

    Args:
        doubt: rows of doubt.csv.
        errors: as `true_errors` gives them.
        reasons: columns of `doubt` to be judged; doubt itself comes first.
        used: those of them that count in doubt.
        seed: of the bootstrap.

    Raises:
        InputError: fewer than ten cases have hidden labels.
    """
    values = doubt.set_index("case").reindex(errors.index)
    if len(errors) < FEWEST_CASES:
        raise InputError(
            f"only {len(errors)} unlabelled cases have hidden labels, and no ranking can be judged by fewer "
            f"than {FEWEST_CASES}: this file is for data whose truth is known, as the demo's"
        )
    rows = [
        {
            "reason": reason,
            "used": reason == COMBINED or reason in used,
            **_judged(values[reason].to_numpy(float), errors.to_numpy(float), seed),
        }
        for reason in (COMBINED, *reasons)
    ]
    return pd.DataFrame(rows)


def draw_evidence(path: str | Path, doubt: pd.DataFrame, errors: pd.Series, table: pd.DataFrame) -> None:
    """Error over doubt, a dot a case; beside it the rank correlation of each reason with its interval."""
    figure = Figure(figsize=(9, 3.6), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2)
    known = doubt.set_index("case").reindex(errors.index)[COMBINED]
    left.plot(known, 100 * errors, ".", color="#0b5c8a", alpha=0.7)
    left.set(xlabel="doubt (mean rank)", ylabel="true error of R (100 - Dice, %)", xlim=(0, 1))
    left.set_ylim(bottom=0)
    left.set_title(f"{len(errors)} unlabelled cases with hidden labels", fontsize=10)
    told = table.dropna(subset=["spearman"]).iloc[::-1]
    places = np.arange(len(told))
    spread = np.abs(told[["low", "high"]].to_numpy().T - told["spearman"].to_numpy())
    colours = ["#0b5c8a" if used else "#9aa5b1" for used in told["used"]]
    right.hlines(places, told["low"], told["high"], color=colours)
    right.scatter(told["spearman"], places, color=colours, zorder=3)
    right.axvline(0, color="#51606f", linewidth=0.8)
    right.set_yticks(
        places, [r if u else f"{r} (not used)" for r, u in zip(told["reason"], told["used"], strict=True)]
    )
    right.set(xlabel="Spearman's correlation with the error", xlim=(min(-0.2, -spread.max()), 1))
    right.set_title("95 % bootstrap interval over cases", fontsize=10)
    with atomic(path) as private:
        figure.savefig(private)


def _judged(values: NDArray[np.float64], errors: NDArray[np.float64], seed: int) -> dict[str, float]:
    """One row of the table, but for the reason's name."""
    known = ~np.isnan(values)
    values, errors = values[known], errors[known]
    nothing = {"spearman": np.nan, "low": np.nan, "high": np.nan, "auroc": np.nan}
    if len(values) < FEWEST_CASES or np.ptp(values) == 0 or np.ptp(errors) == 0:
        return {"cases": len(values), **nothing}
    chance = np.random.default_rng(seed)
    drawn = [chance.integers(len(values), size=len(values)) for _ in range(RESAMPLES)]
    resampled = [_spearman(values[chosen], errors[chosen]) for chosen in drawn]
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return {
        "cases": len(values),
        "spearman": _spearman(values, errors),
        "low": float(low),
        "high": float(high),
        "auroc": auroc(values, errors >= np.quantile(errors, 0.9)),
    }


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may be constant
        return float(np.corrcoef(stats.rankdata(one), stats.rankdata(other))[0, 1])


def auroc(values: NDArray[np.float64], wanted: NDArray[np.bool_]) -> float:
    """The chance that one of `wanted` has a greater value than one of the rest; ties count half."""
    inside, outside = int(wanted.sum()), int((~wanted).sum())
    if not inside or not outside:
        return np.nan
    ranks = stats.rankdata(values)
    return float((ranks[wanted].sum() - inside * (inside + 1) / 2) / (inside * outside))
