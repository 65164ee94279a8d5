"""Measure how doubtful each refined mask is, and rank classes and cases by doubt."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.prompting.cleaning import most_likely_components
from samcarry.storage.frames import read_frame, write_frame
from samcarry.storage.probabilities import foreground

REASONS = ("sam_quality", "agreement", "thrown_away", "presence", "size", "position", "seeds")
"""SAM's own quality estimate, agreement of P and R, share of P removed by cleaning, unexpected presence or
absence of a class, unusual size, unusual position, and disagreement of first networks of several seeds."""

MIN_SIZE_DEVIATION = 0.2
"""Lower limit for the deviation of a log area, because a few labelled cases may be alike by chance."""

MIN_POSITION_DEVIATION = 0.03
"""Lower limit for the deviation of a centre, as a share of the image's diagonal."""


@dataclass(frozen=True)
class ExpectedShapes:
    """Presence, size and position of each class in labelled cases; arrays (class,), NaN if never present.

    Attributes:
        cases: number of labelled cases.
        present: number of labelled cases that have the class.
        log_area: mean of the logarithm of its area as a share of the image.
        log_area_deviation: standard deviation of that logarithm.
        centre: mean of its centre (class, 2), row and column as shares of the diagonal.
        centre_deviation: root mean square distance of the centres from their mean.
    """

    cases: int
    present: NDArray[np.int_]
    log_area: NDArray[np.float64]
    log_area_deviation: NDArray[np.float64]
    centre: NDArray[np.float64]
    centre_deviation: NDArray[np.float64]


def expected_shapes(masks: Iterable[NDArray[np.bool_]], classes: int) -> ExpectedShapes:
    """Statistics of labelled masks, each (class, height, width)."""
    shapes = np.array([_shapes(case) for case in masks]).reshape(-1, classes, 3)
    present = (~np.isnan(shapes[..., 0])).sum(axis=0)
    mean, deviation = np.full((classes, 3), np.nan), np.full((classes, 3), np.nan)
    known = present > 0
    mean[known] = np.nanmean(shapes[:, known], axis=0)
    deviation[known] = np.nanstd(shapes[:, known], axis=0)
    return ExpectedShapes(
        len(shapes),
        present,
        mean[:, 0],
        np.maximum(deviation[:, 0], MIN_SIZE_DEVIATION),
        mean[:, 1:],
        np.maximum(np.hypot(deviation[:, 1], deviation[:, 2]), MIN_POSITION_DEVIATION),
    )


def measure_case(
    probabilities: Sequence[NDArray[np.uint8]],
    refined: NDArray[np.bool_],
    quality: Sequence[float],
    expected: ExpectedShapes,
) -> dict[str, NDArray[np.float64]]:
    """The value of every reason for one case, {reason: (class,)}; NaN if undefined, as for absent classes.

    Args:
        probabilities: P times 255 (class, height, width) of each seed; R was made from the first.
        refined: R (class, height, width).
        quality: SAM's IoU estimate of each class, NaN if the class is absent.
        expected: statistics of the labelled cases.
    """
    predicted = [foreground(case) for case in probabilities]
    shapes = _shapes(refined)
    area = predicted[0].sum(axis=(1, 2))
    kept = most_likely_components(probabilities[0]).sum(axis=(1, 2))
    share = (expected.present + 1) / (expected.cases + 2)
    distance = np.hypot(*(shapes[:, 1:] - expected.centre).T)
    with np.errstate(invalid="ignore"):
        return {
            "sam_quality": 1 - np.asarray(quality, dtype=float),
            "agreement": _disagreement(predicted[0], refined),
            "thrown_away": 1 - kept / np.where(area > 0, area, np.nan),
            "presence": -np.log(np.where(refined.any(axis=(1, 2)), share, 1 - share)),
            "size": np.abs(shapes[:, 0] - expected.log_area) / expected.log_area_deviation,
            "position": distance / expected.centre_deviation,
            "seeds": _mean_disagreement(predicted),
        }


def measure_rows(
    case: str, classes: Sequence[str], measures: Mapping[str, NDArray[np.float64]], refined: NDArray[np.bool_]
) -> list[dict[str, object]]:
    """Rows of the table of measures: case, class, area (of R, as a share of the image), and each reason."""
    area = refined.mean(axis=(1, 2))
    return [
        {"case": case, "class": name, "area": area[index]}
        | {reason: measures[reason][index] for reason in REASONS}
        for index, name in enumerate(classes)
    ]


def write_measures(path: str | Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the table of measures as CSV, atomically; undefined values are empty."""
    write_ranking(path, pd.DataFrame(rows, columns=["case", "class", "area", *REASONS]))


def write_ranking(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table of measures, doubt.csv or classes.csv as CSV, atomically; numbers have five decimals."""
    write_frame(path, table, "%.5f")


def _shapes(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log area and centre (row, column) of each mask, (class, 3); NaN for an empty mask."""
    height, width = masks.shape[1:]
    diagonal = math.hypot(height, width)
    pixels = masks.sum(axis=(1, 2)).astype(float)
    pixels[pixels == 0] = np.nan
    rows = (masks.sum(axis=2) * np.arange(height)).sum(axis=1) / pixels
    columns = (masks.sum(axis=1) * np.arange(width)).sum(axis=1) / pixels
    return np.stack([np.log(pixels / (height * width)), rows / diagonal, columns / diagonal], axis=1)


def _disagreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 - Dice of each class, (class,); NaN if both masks are empty."""
    sizes = one.sum(axis=(1, 2)) + other.sum(axis=(1, 2))
    common = (one & other).sum(axis=(1, 2))
    return 1 - 2 * common / np.where(sizes > 0, sizes, np.nan)


def _mean_disagreement(several: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Mean of `_disagreement` over all pairs, (class,); NaN if there is only one mask."""
    pairs = [_disagreement(one, other) for one, other in itertools.combinations(several, 2)]
    return np.mean(pairs, axis=0) if pairs else np.full(len(several[0]), np.nan)


MAX_REASONS = 3
"""Maximum number of reasons that are reported for a case."""

_MIN_RANK = 0.5
"""A reason is reported only if the case is in the worse half of all cases by this reason."""


def read_measures(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The tables of measures of several shards, concatenated; names stay text."""
    tables = [read_frame(path, ("case", "class")) for path in paths]
    if not tables:
        raise InputError("there is no unlabelled case to rank by doubt; add images without labels")
    return pd.concat(tables, ignore_index=True)


def case_means(measures: pd.DataFrame) -> pd.DataFrame:
    """Each reason of each case: the mean over the classes for which it is defined."""
    return measures.groupby("case", sort=True)[list(REASONS)].mean()


def doubt_and_ranks(values: pd.DataFrame, reasons: Sequence[str]) -> tuple[pd.Series, pd.DataFrame]:
    """The doubt of each row, 0 to 1, and its rank by each of `reasons`, 0 to 1 (1 = worst).

    Doubt is the mean of the ranks. Ties share their mean rank. A reason that is undefined for all rows, such
    as `seeds` with a single seed, is left out. A row without any defined reason has no mask at all, and its
    doubt is 1.
    """
    ranks = values[list(reasons)].dropna(axis="columns", how="all").rank(method="average")
    ranks = (ranks - 0.5) / ranks.count()
    return ranks.mean(axis="columns").fillna(1), ranks


def doubt_by_class(measures: pd.DataFrame, reasons: Sequence[str]) -> pd.DataFrame:
    """Doubt of each class of each case, by ranks within the class: case, class, doubt (0..1)."""
    measured = measures[measures[list(reasons)].notna().any(axis="columns")]
    parts = [
        part[["case", "class"]].assign(doubt=doubt_and_ranks(part, reasons)[0])
        for _, part in measured.groupby("class")
    ]
    return pd.concat(parts).sort_index() if parts else pd.DataFrame(columns=["case", "class", "doubt"])


def rank_by_doubt(measures: pd.DataFrame, reasons: Sequence[str]) -> pd.DataFrame:
    """All cases, most doubtful first: case, rank (from 1), doubt, each of `REASONS`, reason (as text).

    Args:
        measures: the table of measures, as `read_measures` returns it.
        reasons: which of `REASONS` count.
    """
    values = case_means(measures)
    doubt, ranks = doubt_and_ranks(values, reasons)
    table = values.assign(doubt=doubt).sort_values("doubt", ascending=False, kind="stable")
    worst = _worst_classes(measures)
    table["reason"] = [_case_text(case, ranks.loc[case], worst) for case in table.index]
    table["rank"] = np.arange(1, len(table) + 1)
    return table.reset_index()[["case", "rank", "doubt", *REASONS, "reason"]]


def read_ranking(path: str | Path) -> pd.DataFrame:
    """The table in doubt.csv or classes.csv; names stay text, even '007' and 'None'."""
    return read_frame(path, ("case", "class", "reason"))


def reason_text(reason: str, name: str, value: float, area: float) -> str:
    """A short sentence that explains one reason for doubt in one class.

    Args:
        reason: one of `REASONS`.
        name: name of the class.
        value: the measured value.
        area: area of R as a share of the image; 0 if the class is absent.
    """
    share = 100 * math.exp(-value) if reason == "presence" else 0.0
    presence = (
        f"{name} is drawn, though only about {share:.0f} % of labelled cases have it"
        if area > 0
        else f"{name} is missing, though about {100 - share:.0f} % of labelled cases have it"
    )
    return {
        "sam_quality": f"{name}: SAM rates its own mask at only {1 - value:.2f}",
        "agreement": f"{name}: the first network and SAM agree only {1 - value:.2f}",
        "thrown_away": f"{name}: {100 * value:.0f} % of the first network's mask (loose pieces) was left out",
        "presence": presence,
        "size": f"{name}: its size is {value:.1f} deviations from that of labelled cases",
        "position": f"{name}: its place is {value:.1f} deviations from that of labelled cases",
        "seeds": f"{name}: the first networks of several seeds agree only {1 - value:.2f}",
    }[reason]


@dataclass(frozen=True)
class _WorstClass:
    """The class of a case for which one reason is strongest."""

    name: str
    value: float
    area: float


def _worst_classes(measures: pd.DataFrame) -> dict[tuple[str, str], _WorstClass]:
    """The worst class by each reason in each case, {(case, reason): class}."""
    worst = {}
    for reason in REASONS:
        known = measures.dropna(subset=[reason])
        rows = known.loc[known.groupby("case")[reason].idxmax()]
        for case, name, value, area in zip(
            rows["case"], rows["class"], rows[reason], rows["area"], strict=True
        ):
            worst[case, reason] = _WorstClass(name, value, area)
    return worst


def _case_text(case: str, ranks: pd.Series, worst: dict[tuple[str, str], _WorstClass]) -> str:
    """The main reasons for doubt in a case as text, the strongest first, joined by '; '."""
    strongest = ranks.dropna().sort_values(ascending=False, kind="stable")
    if strongest.empty:
        return "nothing was found in this image"
    reported = strongest[strongest >= _MIN_RANK][:MAX_REASONS]
    found = [(str(reason), worst[case, str(reason)]) for reason in reported.index]
    return "; ".join(reason_text(reason, w.name, w.value, w.area) for reason, w in found)
