"""The ranking by doubt: measures of classes become ranks of cases, and reasons in plain words."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from samcarry.doubt import REASONS
from samcarry.errors import InputError

MOST_REASONS = 3
"""That are told of a case."""
_TELLING = 0.5
"""A reason is told only if the case is among the worse half by it."""


def read_measures(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The tables of several shards as one; names stay text."""
    tables = [pd.read_csv(path, dtype={"case": str, "class": str}, keep_default_na=False,
                          na_values=[""]) for path in paths]  # fmt: skip
    if not tables:
        raise InputError("no case is unlabelled, so there is nothing to doubt: add images without labels")
    return pd.concat(tables, ignore_index=True)


def of_cases(measures: pd.DataFrame) -> pd.DataFrame:
    """Each reason of each case: the mean over the classes that it says something of."""
    return measures.groupby("case", sort=True)[list(REASONS)].mean()


def doubt_of(values: pd.DataFrame, reasons: Sequence[str]) -> tuple[pd.Series, pd.DataFrame]:
    """The doubt of each row, 0 to 1, and its rank within each of `reasons`, 0 to 1 (1 = worst).

    Ties share their mean rank. A reason that says nothing of any row, as `seeds` with one seed, drops out.
    A row of which no reason says anything holds no mask at all, and its doubt is 1.
    """
    ranks = values[list(reasons)].dropna(axis="columns", how="all").rank(method="average")
    ranks = (ranks - 0.5) / ranks.count()
    return ranks.mean(axis="columns").fillna(1), ranks


def class_doubt_of(measures: pd.DataFrame, reasons: Sequence[str]) -> pd.DataFrame:
    """Doubt of each class of each case, by ranks among the cases of that class: case, class, doubt (0..1)."""
    told = measures[measures[list(reasons)].notna().any(axis="columns")]
    parts = [
        part[["case", "class"]].assign(doubt=doubt_of(part, reasons)[0]) for _, part in told.groupby("class")
    ]
    return pd.concat(parts).sort_index() if parts else pd.DataFrame(columns=["case", "class", "doubt"])


def rank_cases(measures: pd.DataFrame, reasons: Sequence[str]) -> pd.DataFrame:
    """All cases, most doubtful first: case, rank (from 1), doubt, each of REASONS, reason (in plain words).

    Args:
        measures: as `read_measures` gives them.
        reasons: which of REASONS count.
    """
    values = of_cases(measures)
    doubt, ranks = doubt_of(values, reasons)
    table = values.assign(doubt=doubt).sort_values("doubt", ascending=False, kind="stable")
    worst = _worst_classes(measures)
    table["reason"] = [_told(case, ranks.loc[case], worst) for case in table.index]
    table["rank"] = np.arange(1, len(table) + 1)
    return table.reset_index()[["case", "rank", "doubt", *REASONS, "reason"]]


def read_table(path: str | Path) -> pd.DataFrame:
    """Read doubt.csv or classes.csv; names stay text, even such as '007' and 'None'."""
    names = dict.fromkeys(("case", "class", "reason"), str)
    table = pd.read_csv(path, dtype=names, keep_default_na=False, na_values={r: [""] for r in REASONS})
    return table


def in_words(reason: str, name: str, value: float, area: float) -> str:
    """One reason for the doubt in one class, as a sentence of a few words.

    Args:
        reason: one of REASONS.
        name: of the class.
        value: what was measured.
        area: of R, as a share of the image; 0 where the class is missing.
    """
    share = 100 * math.exp(-value) if reason == "presence" else 0.0
    presence = (
        f"{name} is drawn, though only about {share:.0f} % of labelled cases have it"
        if area > 0
        else f"{name} is missing, though about {100 - share:.0f} % of labelled cases have it"
    )
    return {
        "sam_quality": f"{name}: SAM rates its own mask at only {1 - value:.2f}",
        "agreement": f"{name}: P and SAM agree only {1 - value:.2f}",
        "thrown_away": f"{name}: {100 * value:.0f} % of P lay in other pieces and was thrown away",
        "presence": presence,
        "size": f"{name}: its size is {value:.1f} deviations from that of labelled cases",
        "position": f"{name}: its place is {value:.1f} deviations from that of labelled cases",
        "seeds": f"{name}: the first networks of several seeds agree only {1 - value:.2f}",
    }[reason]


@dataclass(frozen=True)
class _Worst:
    """The class of a case by which one reason is strongest."""

    name: str
    value: float
    area: float


def _worst_classes(measures: pd.DataFrame) -> dict[tuple[str, str], _Worst]:
    """{(case, reason): its worst class}."""
    worst = {}
    for reason in REASONS:
        known = measures.dropna(subset=[reason])
        rows = known.loc[known.groupby("case")[reason].idxmax()]
        for case, name, value, area in zip(
            rows["case"], rows["class"], rows[reason], rows["area"], strict=True
        ):
            worst[case, reason] = _Worst(name, value, area)
    return worst


def _told(case: str, ranks: pd.Series, worst: dict[tuple[str, str], _Worst]) -> str:
    """The strongest reasons of a case, the strongest first, joined by '; '."""
    strongest = ranks.dropna().sort_values(ascending=False, kind="stable")
    if strongest.empty:
        return "nothing was found in this image"
    telling = strongest[strongest >= _TELLING][:MOST_REASONS]
    found = [(str(reason), worst[case, str(reason)]) for reason in telling.index]
    return "; ".join(in_words(reason, w.name, w.value, w.area) for reason, w in found)
