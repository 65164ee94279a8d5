"""How much a method's Dice depends on which cases were labelled, apart from seeds and test cases.

X^n is drawn several times, and every draw is trained with every seed. The mean Dice of a training varies
with its draw and its seed; the two standard deviations follow from a nested analysis of variance (a random
effect for the draw, and one for the seed within it; Searle, Casella and McCulloch, Variance Components, 1992,
section 3.6).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from samcarry.evaluation.summary import CASE_KEYS
from samcarry.methods import in_order, method_of
from samcarry.storage.frames import read_frame

DRAWS_COLUMNS = (
    *("dataset", "method", "n", "draws", "seeds"),
    *("mean", "draw_std", "seed_std", "case_std", "low", "high"),
)


def summarise_draws(
    tables: Sequence[pd.DataFrame], draws: Sequence[int], methods: Sequence[str]
) -> pd.DataFrame:
    """One row per method and n, in percent.

    Full supervision has no row, because it learns from all labels. Columns:

    - dataset, method, n, draws, seeds (of each draw);
    - mean: Dice, the mean over draws, seeds and cases;
    - draw_std: standard deviation over draws. With several seeds, the part that is due to seeds is taken off,
      so that it may be 0; with one seed, it is included;
    - seed_std: standard deviation over the seeds of a draw; NaN with one seed;
    - case_std: standard deviation over cases, after averaging over draws and seeds;
    - low, high: the smallest and the largest Dice of a draw.

    Args:
        tables: rows of dice.csv, one table for each size n and draw.
        draws: the draw of each table, 1 = the given order.
        methods: ids in the order of the table; those that a table lacks have no row for its n.
    """
    rows = pd.concat(
        [table.assign(draw=draw) for table, draw in zip(tables, draws, strict=True)], ignore_index=True
    )
    scores = 100 * rows.groupby(["n", "draw", "seed", *CASE_KEYS])["dice"].mean().dropna()
    found = []
    for n in sorted(rows["n"].unique()):
        for method in in_order(methods):
            own = scores.loc[n].unstack("method") if n in scores.index else pd.DataFrame()
            if method not in own or method_of(method).needs_hidden_labels:
                continue
            trainings = own[method].groupby(["draw", "seed"]).mean().unstack("seed")
            if len(trainings) < 2:
                continue
            of_draws = trainings.mean(axis=1)
            seeds = trainings.shape[1]
            within = trainings.var(axis=1).mean() if seeds > 1 else np.nan
            between = of_draws.var() - (within / seeds if seeds > 1 else 0)
            found.append(
                {
                    "dataset": rows["dataset"].iloc[0],
                    "method": method,
                    "n": n,
                    "draws": len(trainings),
                    "seeds": seeds,
                    "mean": of_draws.mean(),
                    "draw_std": np.sqrt(max(between, 0)),
                    "seed_std": np.sqrt(within),
                    "case_std": own[method].groupby("case").mean().std(),
                    "low": of_draws.min(),
                    "high": of_draws.max(),
                }
            )
    return pd.DataFrame(found, columns=DRAWS_COLUMNS)


def read_draws(paths: Sequence[str | Path]) -> pd.DataFrame | None:
    """The table of `summarise_draws`, from a list of its file or of nothing; None if there are no draws."""
    return read_frame(paths[0], ("dataset", "method")) if paths else None


def add_draws(table: pd.DataFrame, draws: pd.DataFrame | None) -> pd.DataFrame:
    """`table`, one row per method and n, with the columns draws and draw_std of `summarise_draws`.

    Without a table of draws, and in rows that it lacks, draws is 1 and draw_std is NaN.
    """
    if draws is None:
        return table.assign(draws=1, draw_std=np.nan)
    known = draws[["method", "n", "draws", "draw_std"]]
    joined = table.merge(known, on=["method", "n"], how="left")
    return joined.assign(draws=joined["draws"].fillna(1).astype(int))
