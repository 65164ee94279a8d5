"""Summary statistics from dice.csv: mean ± standard deviation by method, by class and by n.

The score of a case is the mean over its present classes. With several seeds, the seeds of a case are
averaged first; mean and standard deviation are then taken over cases. The spread over seeds is reported
separately. Every standard deviation is the sample standard deviation (divisor n - 1). Every mean has a 95 %
interval by patient, see `intervals`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from samcarry.evaluation.intervals import Interval, Scale, interval_of, interval_of_ratio
from samcarry.methods import method_of
from samcarry.storage.frames import read_frame

CASE_KEYS = ["method", "case"]
TEXTS = ("dataset", "method", "case", "class")
_SCALES: tuple[Scale, ...] = ("share", "length", "share")  # of the scores, see `scores_of`

Patients = Mapping[str, str] | None
"""{case: patient}; None if every case is a patient of its own."""

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
    "patients",
    "rank",
    "mean_low",
    "mean_high",
    "hd95_low",
    "hd95_high",
    "surface_dice_low",
    "surface_dice_high",
    "false_positives_low",
    "false_positives_high",
    "interval",
    "not_converged",
    "unit",
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
    "patients",
    "mean_low",
    "mean_high",
    "interval",
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
    "patients",
    "mean_low",
    "mean_high",
    "hd95_low",
    "hd95_high",
    "surface_dice_low",
    "surface_dice_high",
    "false_positive_rate_low",
    "false_positive_rate_high",
    "interval",
    "unit",
)


def read_dice(path: str | Path) -> pd.DataFrame:
    """Rows of a dice.csv; names stay text ('007', 'NA'), and empty scores become NaN."""
    return read_frame(path, TEXTS)


def unit_of(rows: pd.DataFrame) -> str:
    """The unit of the distances in rows of dice.csv: 'px' or 'mm'."""
    return "mm" if "hd95_mm" in rows else "px"


def scores_of(rows: pd.DataFrame) -> list[str]:
    """The columns of Dice, the 95 % Hausdorff distance and surface Dice in rows of dice.csv."""
    return ["dice", f"hd95_{unit_of(rows)}", "surface_dice"]


def case_scores(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """A score by method (columns) and case (index), averaged over seeds, in the unit of dice.csv."""
    by_seed = rows.groupby([*CASE_KEYS, "seed"])[score].mean()
    return by_seed.groupby(CASE_KEYS).mean().unstack("method")


def case_dice(rows: pd.DataFrame) -> pd.DataFrame:
    """Dice by method (columns) and case (index), averaged over seeds, 0..1."""
    return case_scores(rows, "dice")


def summarise(
    rows: pd.DataFrame,
    methods: Sequence[str],
    patients: Patients = None,
    not_converged: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """One row per method, scores in percent, distances as in `rows`; methods without rows are left out.

    Columns:

    - method, and the numbers of seeds and cases;
    - mean, std, median, q1, q3: Dice over cases;
    - seed_std: standard deviation over seeds of the mean over cases; NaN with one seed;
    - false_positives: share of absent classes that the method draws anyway, which Dice does not show;
    - hd95, hd95_std: mean and standard deviation over cases of the 95 % Hausdorff distance;
    - surface_dice, surface_dice_std: mean and standard deviation over cases of surface Dice;
    - patients: number of patients;
    - rank: 1 for the highest mean Dice; NaN for full supervision, which is no competitor, and for a method
      that has not converged;
    - ..._low, ..._high: 95 % interval of each mean, by patient; NaN if there is none;
    - interval: how the interval of Dice was computed, or why there is none;
    - not_converged: why the method has no rank; '' if it has converged;
    - unit: unit of the distances, 'px' or 'mm'.

    Args:
        rows: rows of dice.csv for one n.
        methods: ids in the order of the table.
        patients: {case: patient}.
        not_converged: {method: reason}, from `convergence.not_converged`.
    """
    scores = [case_scores(rows, score) for score in scores_of(rows)]
    by_seed = rows.groupby([*CASE_KEYS, "seed"])["dice"].mean().groupby(["method", "seed"]).mean()
    absent = rows[rows["reference_px"] == 0]
    table = []
    for method in methods:
        if method not in scores[0]:
            continue
        dice, distances, surfaces = (of_score[method] for of_score in scores)
        values = 100 * dice.dropna()
        seeds = by_seed[method]
        false_positives = _false_positives(absent[absent["method"] == method], patients)
        interval = interval_of(dice, patients, "share")
        table.append(
            {
                "method": method,
                "seeds": len(seeds),
                "cases": len(values),
                "mean": values.mean(),
                "std": values.std(),
                "seed_std": 100 * seeds.std() if len(seeds) > 1 else np.nan,
                "median": values.median(),
                "q1": values.quantile(0.25),
                "q3": values.quantile(0.75),
                "hd95": distances.mean(),
                "hd95_std": distances.std(),
                "surface_dice": 100 * surfaces.mean(),
                "surface_dice_std": 100 * surfaces.std(),
                "patients": interval.patients,
                **_ends("mean", interval, 100),
                **_ends("hd95", interval_of(distances, patients, "length")),
                **_ends("surface_dice", interval_of(surfaces, patients, "share"), 100),
                "false_positives": false_positives[0],
                **_ends("false_positives", false_positives[1], 100),
                "interval": interval.method,
                "not_converged": (not_converged or {}).get(method, ""),
                "unit": unit_of(rows),
            }
        )
    found = pd.DataFrame(table, columns=[name for name in SUMMARY_COLUMNS if name != "rank"])
    found.insert(SUMMARY_COLUMNS.index("rank"), "rank", _ranks(found))
    return found


def competes(method: str, not_converged: Mapping[str, str]) -> bool:
    """Whether a method has a rank: not if it is no competitor, nor if its training was cut short."""
    return method not in not_converged and method_of(method).competes


def _ranks(summary: pd.DataFrame) -> pd.Series:
    out = dict(summary.loc[summary["not_converged"] != "", ["method", "not_converged"]].to_numpy())
    among = summary["method"].map(lambda method: competes(method, out)).astype(bool)
    return summary["mean"].where(among).rank(ascending=False, method="min")


def _ends(name: str, interval: Interval, factor: float = 1) -> dict[str, float]:
    """The columns of an interval."""
    return {f"{name}_low": factor * interval.low, f"{name}_high": factor * interval.high}


def summarise_classes(rows: pd.DataFrame, methods: Sequence[str], patients: Patients = None) -> pd.DataFrame:
    """One row per method and class, scores in percent, distances and classes' order as in `rows`.

    A class that is absent from all cases gets a row without scores. Columns:

    - method, class;
    - cases, patients: numbers of cases and patients in which the class is present;
    - mean, std: Dice over these cases;
    - hd95, surface_dice: means over these cases;
    - false_positive_rate: share of the other cases in which the method draws the class; NaN if there are
      no other cases;
    - ..._low, ..._high: 95 % interval of each mean, by patient; NaN if there is none;
    - interval: how the interval of Dice was computed, or why there is none;
    - unit: unit of the distances, 'px' or 'mm'.
    """
    names = scores_of(rows)
    table = []
    for method in methods:
        own = rows[rows["method"] == method]
        for name, of_class in own.groupby("class", sort=False):
            present = of_class[of_class["reference_px"] > 0]
            # Each case counts once: its seeds are averaged first.
            scores = present.groupby("case")[names].mean()
            dice, distance, surface = (
                interval_of(scores[score], patients, scale)
                for score, scale in zip(names, _SCALES, strict=True)
            )
            false_positives = _false_positives(of_class[of_class["reference_px"] == 0], patients)
            table.append(
                {
                    "method": method,
                    "class": name,
                    "cases": len(scores),
                    "mean": 100 * scores["dice"].mean(),
                    "std": 100 * scores["dice"].std(),
                    "hd95": scores[names[1]].mean(),
                    "surface_dice": 100 * scores["surface_dice"].mean(),
                    "false_positive_rate": false_positives[0],
                    "patients": dice.patients,
                    **_ends("mean", dice, 100),
                    **_ends("hd95", distance),
                    **_ends("surface_dice", surface, 100),
                    **_ends("false_positive_rate", false_positives[1], 100),
                    "interval": dice.method,
                    "unit": names[1].removeprefix("hd95_"),
                }
            )
    return pd.DataFrame(table, columns=PER_CLASS_COLUMNS)


def summarise_groups(
    rows: pd.DataFrame, methods: Sequence[str], groups: Mapping[str, str], patients: Patients = None
) -> pd.DataFrame:
    """One row per group and method: `group`, and the columns of `summarise` over the cases of this group.

    Args:
        rows: rows of dice.csv for one n.
        methods: ids in the order of the table.
        groups: {case: group}; cases without one are the last group, whose name is ''. If no case has one, the
            table is empty.
        patients: {case: patient}.
    """
    names = sorted({groups[case] for case in rows["case"].unique()}, key=lambda name: (name == "", name))
    parts = []
    for name in names if any(names) else ():
        own = summarise(rows[rows["case"].map(groups) == name], methods, patients)
        own.insert(0, "group", name)
        parts.append(own)
    return pd.concat(parts) if parts else pd.DataFrame(columns=["group", *SUMMARY_COLUMNS])


def summarise_ablation(
    tables: Iterable[pd.DataFrame], methods: Sequence[str], patients: Patients = None
) -> pd.DataFrame:
    """One row per method and n, in percent: Dice over cases as in a box plot, and its spread over seeds.

    Columns: dataset, n, and those of `summarise` with the same names. Methods keep the given order, and n
    ascends.

    Args:
        tables: rows of dice.csv, one table for each n.
        methods: ids; a method without rows for some n has no row there.
        patients: {case: patient}.
    """
    summaries = []
    for rows in tables:
        summary = summarise(rows, methods, patients)
        summaries.append(summary.assign(dataset=rows["dataset"].iloc[0], n=rows["n"].iloc[0]))
    together = pd.concat(summaries)
    rank = together["method"].map({method: place for place, method in enumerate(methods)})
    return together.assign(rank=rank).sort_values(["rank", "n"])[list(ABLATION_COLUMNS)]


def _false_positives(absent: pd.DataFrame, patients: Patients) -> tuple[float, Interval]:
    """Share of absent classes that are drawn anyway, in percent over seeds and cases; its interval, 0..1."""
    drawn = (absent["predicted_px"] > 0).astype(float)
    owners = absent["case"] if patients is None else absent["case"].map(patients)
    return 100 * drawn.mean(), interval_of_ratio(drawn.groupby(owners).agg(["sum", "count"]), "share")
