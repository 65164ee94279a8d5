"""Summary statistics from dice.csv: mean ± standard deviation by method, by class and by n.

The score of a case is the mean over its present classes. With several seeds, the seeds of a case are
averaged first; mean and standard deviation are then taken over cases. The spread over seeds is reported
separately. Every standard deviation is the sample standard deviation (divisor n - 1).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from samcarry.evaluation.formatting import markdown_table, mean_and_deviation, number
from samcarry.storage.frames import read_frame

CASE_KEYS = ["method", "case"]
TEXTS = ("dataset", "method", "case", "class")
SCORES = ["dice", "hd95_px", "surface_dice"]

SUMMARY_COLUMNS = (
    "method",
    "seeds",
    "cases",
    "mean",
    "std",
    "seed_std",
    "false_positives",
    "median",
    "q1",
    "q3",
    "hd95",
    "hd95_std",
    "surface_dice",
    "surface_dice_std",
)

ABLATION_COLUMNS = (
    "dataset",
    "method",
    "n",
    "seeds",
    "cases",
    "mean",
    "std",
    "median",
    "q1",
    "q3",
    "seed_std",
)

PER_CLASS_COLUMNS = (
    "method",
    "class",
    "cases",
    "mean",
    "std",
    "hd95",
    "surface_dice",
    "false_positive_rate",
)


def read_dice(path: str | Path) -> pd.DataFrame:
    """Rows of a dice.csv; names stay text ('007', 'NA'), and empty scores become NaN."""
    return read_frame(path, TEXTS)


def case_scores(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """A score by method (columns) and case (index), averaged over seeds, in the unit of dice.csv."""
    by_seed = rows.groupby([*CASE_KEYS, "seed"])[score].mean()
    return by_seed.groupby(CASE_KEYS).mean().unstack("method")


def case_dice(rows: pd.DataFrame) -> pd.DataFrame:
    """Dice by method (columns) and case (index), averaged over seeds, 0..1."""
    return case_scores(rows, "dice")


def summarise(rows: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """One row per method, scores in percent and distances in pixels; methods without rows are left out.

    Columns:

    - method, and the numbers of seeds and cases;
    - mean, std, median, q1, q3: Dice over cases;
    - seed_std: standard deviation over seeds of the mean over cases; NaN with one seed;
    - false_positives: share of absent classes that the method draws anyway, which Dice does not show;
    - hd95, hd95_std: mean and standard deviation over cases of the 95 % Hausdorff distance;
    - surface_dice, surface_dice_std: mean and standard deviation over cases of surface Dice.

    Args:
        rows: rows of dice.csv for one n.
        methods: ids in the order of the table.
    """
    dice, distances, surfaces = (case_scores(rows, score) for score in SCORES)
    by_seed = rows.groupby([*CASE_KEYS, "seed"])["dice"].mean().groupby(["method", "seed"]).mean()
    false_positives = _false_positives(rows, ["method"])
    table = []
    for method in methods:
        if method not in dice:
            continue
        values = 100 * dice[method].dropna()
        seeds = by_seed[method]
        table.append(
            {
                "method": method,
                "seeds": len(seeds),
                "cases": len(values),
                "mean": values.mean(),
                "std": values.std(),
                "seed_std": 100 * seeds.std() if len(seeds) > 1 else np.nan,
                "false_positives": false_positives.get(method, np.nan),
                "median": values.median(),
                "q1": values.quantile(0.25),
                "q3": values.quantile(0.75),
                "hd95": distances[method].mean(),
                "hd95_std": distances[method].std(),
                "surface_dice": 100 * surfaces[method].mean(),
                "surface_dice_std": 100 * surfaces[method].std(),
            }
        )
    return pd.DataFrame(table, columns=SUMMARY_COLUMNS)


def summarise_classes(rows: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """One row per method and class, scores in percent, distances in pixels; classes ordered as in `rows`.

    A class that is absent from all cases gets a row without scores. Columns:

    - method, class;
    - cases: number of cases in which the class is present;
    - mean, std: Dice over these cases;
    - hd95, surface_dice: means over these cases;
    - false_positive_rate: share of the other cases in which the method draws the class; NaN if there are
      no other cases.
    """
    keys = ["method", "class"]
    present = rows[rows["reference_px"] > 0]
    # Each case counts once: its seeds are averaged first.
    by_case = present.groupby([*keys, "case"])[SCORES].mean().groupby(keys)
    means, deviations, counts = by_case.mean(), by_case["dice"].std(), by_case.size()
    false_positives = _false_positives(rows, keys)
    table = []
    for method in methods:
        for name in rows.loc[rows["method"] == method, "class"].unique():
            key = (method, name)
            mean = means.loc[key] if key in means.index else pd.Series(np.nan, index=SCORES)
            table.append(
                {
                    "method": method,
                    "class": name,
                    "cases": int(counts.get(key, 0)),
                    "mean": 100 * mean["dice"],
                    "std": 100 * deviations.get(key, np.nan),
                    "hd95": mean["hd95_px"],
                    "surface_dice": 100 * mean["surface_dice"],
                    "false_positive_rate": false_positives.get(key, np.nan),
                }
            )
    return pd.DataFrame(table, columns=PER_CLASS_COLUMNS)


def summarise_ablation(tables: Iterable[pd.DataFrame], methods: Sequence[str]) -> pd.DataFrame:
    """One row per method and n, in percent: Dice over cases as in a box plot, and its spread over seeds.

    Columns: dataset, method, n, seeds, cases, mean, std, median, q1, q3, seed_std. Methods keep the given
    order, and n ascends.

    Args:
        tables: rows of dice.csv, one table for each n.
        methods: ids; a method without rows for some n has no row there.
    """
    summaries = []
    for rows in tables:
        summary = summarise(rows, methods)
        summaries.append(summary.assign(dataset=rows["dataset"].iloc[0], n=rows["n"].iloc[0]))
    together = pd.concat(summaries)
    rank = together["method"].map({method: place for place, method in enumerate(methods)})
    return together.assign(rank=rank).sort_values(["rank", "n"])[list(ABLATION_COLUMNS)]


def _false_positives(rows: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Share of absent classes that are drawn anyway, in percent, pooled over seeds and cases."""
    absent = rows[rows["reference_px"] == 0]
    return 100 * (absent["predicted_px"] > 0).groupby([absent[key] for key in keys]).mean()


def to_markdown(
    dataset: str,
    n: int,
    split: str,
    summary: pd.DataFrame,
    differences: pd.DataFrame,
    missing: dict[str, str],
) -> str:
    """A page with the scores of all methods, their paired differences, and why methods are missing.

    Args:
        dataset: name of the data set.
        n: number of labelled training cases.
        split: the split on which methods were evaluated.
        summary: table of `summarise`.
        differences: table of `comparison.compare`.
        missing: {method: reason} of methods without scores.
    """
    explanation = (
        f"Dice on the {split} split in percent: mean ± standard deviation over cases, after averaging over "
        "seeds. 'Seeds ±' is the standard deviation over seeds of the mean Dice. HD95 is the 95 % Hausdorff "
        "distance. 'False positives' is the share of absent classes that a method draws anyway."
    )
    if split != "test":
        explanation = f"This data set has no test case: methods are evaluated on {split}. {explanation}"
    parts = [f"# {dataset}, n = {n}", explanation, _summary_table(summary, missing)]
    if len(differences):
        parts += [
            "Paired differences over cases in percentage points of Dice, with 95 % bootstrap intervals and "
            "p values of Wilcoxon's two-sided test. 'p (Holm)' is corrected for all comparisons in this "
            "table.",
            _difference_table(differences),
        ]
    return "\n\n".join(parts) + "\n"


def _summary_table(summary: pd.DataFrame, missing: dict[str, str]) -> str:
    heads = ("method", "Dice", "seeds ±", "HD95", "surface Dice", "false positives", "seeds", "cases")
    rows = [
        [
            row["method"],
            mean_and_deviation(row["mean"], row["std"]),
            number(row["seed_std"]),
            f"{number(row['hd95'])} px",
            number(row["surface_dice"]),
            f"{number(row['false_positives'])} %",
            str(row["seeds"]),
            str(row["cases"]),
        ]
        for row in summary.to_dict("records")
    ]
    rows += [[method, f"n/a: {reason}", *[""] * (len(heads) - 2)] for method, reason in missing.items()]
    return markdown_table(heads, rows)


def _difference_table(differences: pd.DataFrame) -> str:
    heads = ("method", "against", "difference", "95 % interval", "p", "p (Holm)", "better in")
    rows = [
        [
            row["method"],
            row["against"],
            f"{row['difference']:+.1f}",
            f"{number(row['low'], '+.1f')} to {number(row['high'], '+.1f')}",
            number(row["p"], ".2g"),
            number(row["p_holm"], ".2g"),
            f"{100 * row['better']:.0f} % of cases",
        ]
        for row in differences.to_dict("records")
    ]
    return markdown_table(heads, rows)
