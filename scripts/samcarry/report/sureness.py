"""The report's section on confidence: calibration, and promised against achieved coverage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import pandas as pd

from samcarry.evaluation.formatting import interval_text, number
from samcarry.methods import in_order, method_of
from samcarry.report.tables import Table
from samcarry.storage.frames import read_frame

_ALL = "all"
_LEVELS = {"pixel": "pixel near the object", "image": "class in the image"}
_PROMISES = {
    "outer": "outer mask holds the object",
    "inner": "inner mask is inside it",
    "both": "both at once",
    "dice": "Dice of a class is not below its bound",
    "case dice": "mean Dice of a case is not below its bound",
}
TEXTS = ("method", "level", "class", "promise", "remark")
"""Columns of calibration.csv and coverage.csv that are not numbers."""


@dataclass(frozen=True)
class SurenessSection:
    """Section 'Confidence'.

    Attributes:
        split: text on what was fitted and assessed where.
        calibration: calibration of each method with probabilities, the mean over classes.
        coverage: promised against achieved coverage of each method, the mean over classes.
        per_class: promised against achieved coverage of one method by class.
    """

    split: str
    calibration: Table
    coverage: Table
    per_class: Table


def read_sureness(
    calibration: Sequence[str], coverage: Sequence[str], split: str, ranked_by: str
) -> SurenessSection | None:
    """The section from calibration.csv and coverage.csv; None without them.

    Args:
        calibration: the path of calibration.csv, or nothing.
        coverage: the path of coverage.csv, or nothing.
        split: the split on which methods were evaluated.
        ranked_by: the method whose classes are shown, if it has probabilities.
    """
    if not calibration:
        return None
    found, promises = read_frame(calibration[0], TEXTS), read_frame(coverage[0], TEXTS)
    if found.empty:
        return None
    methods = in_order(found["method"].unique())
    shown = ranked_by if ranked_by in methods else methods[-1]
    fitted = "Everything was fitted on validation patients and is assessed on test patients."
    if split == "val":
        fitted = (
            "There is no test split: validation patients were dealt out to up to five parts, and each part "
            "is assessed with what was fitted on the others."
        )
    return SurenessSection(
        fitted,
        _calibration_table(found, methods),
        _coverage_table(promises, methods),
        _class_table(promises[promises["method"] == shown], shown),
    )


def _calibration_table(table: pd.DataFrame, methods: Sequence[str]) -> Table:
    rows = []
    for method in methods:
        own = table[(table["method"] == method) & (table["class"] == _ALL)]
        for level, name in _LEVELS.items():
            of_level = own[own["level"] == level]
            mean = of_level.mean(numeric_only=True)
            first = of_level.iloc[0]  # seeds share their cases: they do not make an interval narrower
            rows.append(
                (
                    method_of(method).name,
                    name,
                    number(mean["temperature"], ".2f"),
                    *(_percent(mean[key]) for key in ("ece_before", "ece_after")),
                    *(number(mean[key], ".4f") for key in ("brier_before", "brier_after")),
                    number(first["brier_change"], "+.4f")
                    + interval_text(first["brier_change_low"], first["brier_change_high"], "+.4f"),
                    str(first["patients"]),
                )
            )
    heads = (
        *("Method", "Prediction", "Temperature", "ECE before, %", "after, %", "Brier before", "after"),
        *("Change, first seed", "Patients"),
    )
    caption = "Calibration before and after the temperature; means over classes and seeds."
    return Table(caption, heads, tuple(rows), frozenset(range(2, len(heads))))


def _coverage_table(table: pd.DataFrame, methods: Sequence[str]) -> Table:
    rows = []
    for method in methods:
        own = table[(table["method"] == method) & (table["class"] == _ALL)]
        for (coverage, promise), seeds in own.groupby(["coverage", "promise"], sort=False):
            rows.append(
                (
                    method_of(method).name,
                    _PROMISES[str(promise)],
                    _percent(float(str(coverage))),
                    *_achieved(seeds.to_dict("records")),
                )
            )
    caption = "Promised against achieved coverage; means over classes and seeds."
    return _promises_table(caption, "Method", rows)


def _class_table(table: pd.DataFrame, method: str) -> Table:
    first = table[(table["seed"] == table["seed"].min()) & (table["class"] != _ALL)]
    rows = [
        (
            row["class"],
            _PROMISES[row["promise"]],
            _percent(row["coverage"]),
            *_achieved([row]),
        )
        for row in first.to_dict("records")
    ]
    caption = (
        f"Promised against achieved coverage by class, {method_of(method).name}, first seed; with exact "
        "binomial 95 % intervals."
    )
    return _promises_table(caption, "Class", rows)


def _promises_table(caption: str, first: str, rows: Sequence[tuple[str, ...]]) -> Table:
    heads = ("Promise", "Promised, %", "Achieved, %", "Area", "Validation patients", "Patients", "Remark")
    return Table(caption, (first, *heads), tuple(rows), frozenset(range(2, 7)))


def _achieved(seeds: Sequence[Mapping[Any, Any]]) -> tuple[str, ...]:
    """Cells from the rows of all seeds; the interval is that of the first one, with the same patients."""
    first, table = seeds[0], pd.DataFrame(seeds)
    achieved = _percent(table["achieved"].mean())
    ends = (100 * first["achieved_low"], 100 * first["achieved_high"])
    return (
        achieved + interval_text(*ends),
        number(table["area"].mean() if table["area"].notna().any() else nan, ".2f"),
        f"{first['validation_patients']:.0f}",
        f"{first['patients']:.0f}",
        first["remark"],
    )


def _percent(share: float) -> str:
    return number(100 * share)
