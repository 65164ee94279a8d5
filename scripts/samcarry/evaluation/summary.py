"""From dice.csv to the numbers that are told: mean ± deviation of each method, also by class and by n.

A case's score is the mean over its present classes. With several seeds, the seeds of a case are averaged
first; mean and standard deviation then go over cases. The spread over seeds is told apart.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from samcarry.storage.frames import read_frame

CASE_KEYS = ["method", "case"]
TEXTS = ("dataset", "method", "case", "class")
SCORES = ["dice", "hd95_px", "surface_dice"]

SUMMARY_COLUMNS = (
    "method", "seeds", "cases", "mean", "std", "seed_std", "false_positives", "median", "q1", "q3",
    "hd95", "hd95_std", "surface_dice", "surface_dice_std",
)  # fmt: skip

ABLATION_COLUMNS = (
    "dataset", "method", "n", "seeds", "cases", "mean", "std", "median", "q1", "q3", "seed_std"
)  # fmt: skip

PER_CLASS_COLUMNS = (
    "method", "class", "cases", "mean", "std", "hd95", "surface_dice", "false_positive_rate"
)  # fmt: skip


def read_dice(path: str | Path) -> pd.DataFrame:
    """Rows of a dice.csv; names stay text ('007', 'NA'), scores are NaN where the file says nothing."""
    return read_frame(path, TEXTS)


def case_scores(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """A score of each method (columns) and case (index), seeds averaged, in the unit of dice.csv."""
    by_seed = rows.groupby([*CASE_KEYS, "seed"])[score].mean()
    return by_seed.groupby(CASE_KEYS).mean().unstack("method")


def case_dice(rows: pd.DataFrame) -> pd.DataFrame:
    """Dice of each method (columns) and case (index), 0..1, seeds averaged."""
    return case_scores(rows, "dice")


def summarise(rows: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """One row a method, in percent, distances in pixels; methods without rows are left out.

    Columns: method, seeds, cases, mean and std of Dice over cases, seed_std (the standard deviation over
    seeds of the mean over cases; NaN with one seed), false_positives (share of the absent classes that a
    method draws all the same, which Dice hides), median, q1 and q3 of Dice over cases, and mean and
    standard deviation over cases of the 95 % Hausdorff distance (hd95, hd95_std) and of surface
    Dice (surface_dice, surface_dice_std).

    Args:
        rows: of dice.csv, of one n.
        methods: ids, in the order of the table.
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
    """One row a method and class, in percent, distances in pixels; classes in the order of `rows`.

    Columns: method, class, cases (in which the class is present), mean and std of Dice over them, means of
    hd95 and surface_dice, false_positive_rate (share of the cases without the class in which a method
    draws it; NaN where every case has it). A class that no case has is a row without scores.
    """
    keys = ["method", "class"]
    present = rows[rows["reference_px"] > 0]
    # A case counts once: its seeds are averaged first.
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
    """One row a method and n, in percent: Dice over cases as in a box plot, and its spread over seeds.

    Columns: dataset, method, n, seeds, cases, mean, std, median, q1, q3, seed_std; methods in the order
    given, n ascending.

    Args:
        tables: rows of dice.csv, one table an n.
        methods: ids; one without rows at some n has no row there.
    """
    found = []
    for rows in tables:
        summary = summarise(rows, methods)
        found.append(summary.assign(dataset=rows["dataset"].iloc[0], n=rows["n"].iloc[0]))
    together = pd.concat(found)
    rank = together["method"].map({method: place for place, method in enumerate(methods)})
    return together.assign(rank=rank).sort_values(["rank", "n"])[list(ABLATION_COLUMNS)]


def _false_positives(rows: pd.DataFrame, keys: list[str]) -> pd.Series:
    """The share of absent classes that are drawn all the same, in percent, seeds and cases alike."""
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
    """The page that a run ends with: methods side by side, their differences, what is n/a and why."""
    lines = [
        f"# {dataset}, n = {n}",
        "",
        f"Dice on the {split} split in percent: mean ± standard deviation over cases, the seeds of a case "
        "averaged first. 'Seeds ±' is the standard deviation of the mean over seeds; 'false positives' "
        "the share of absent classes that are drawn all the same; HD95 the 95 % Hausdorff distance.",
        "",
        "| method | Dice | seeds ± | HD95 | surface Dice | false positives | seeds | cases |",
        "|---|---|---|---|---|---|---|---|",
    ]
    if split != "test":
        lines[2] = f"This data set has no test case: methods are judged on {split}. {lines[2]}"
    for row in summary.to_dict("records"):
        lines.append(
            f"| {row['method']} | {number(row['mean'])} ± {number(row['std'])} | {number(row['seed_std'])} | "
            f"{number(row['hd95'])} px | {number(row['surface_dice'])} | "
            f"{number(row['false_positives'])} % | {row['seeds']} | {row['cases']} |"
        )
    lines += [f"| {method} | n/a: {why} | | | | | | |" for method, why in missing.items()]
    if len(differences):
        lines += [
            "",
            "Paired differences over cases in points of Dice, 95 % bootstrap interval, Wilcoxon's p "
            "(two-sided), and p corrected by Holm for the comparisons of this table:",
            "",
            "| method | against | difference | 95 % interval | p | p (Holm) | better in |",
            "|---|---|---|---|---|---|---|",
        ]
    for row in differences.to_dict("records"):
        lines.append(
            f"| {row['method']} | {row['against']} | {row['difference']:+.1f} | "
            f"{number(row['low'], '+.1f')} to {number(row['high'], '+.1f')} | {number(row['p'], '.2g')} | "
            f"{number(row['p_holm'], '.2g')} | {100 * row['better']:.0f} % of cases |"
        )
    return "\n".join(lines) + "\n"


def number(value: float, form: str = ".1f") -> str:
    """A number for people; a dash where it is undefined."""
    return "–" if np.isnan(value) else format(value, form)
