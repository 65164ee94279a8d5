"""How doubtful each refined mask is, by class and case, and the ranking of cases."""

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
from samcarry.storage.probabilities import THRESHOLD

REASONS = ("sam_quality", "agreement", "thrown_away", "presence", "size", "position", "seeds")
"""SAM's own estimate, P against R, pieces lost in cleaning, classes that appear or vanish, odd size, odd
place, and the first networks of several seeds against each other."""

LEAST_SIZE_DEVIATION = 0.2
"""Of the logarithm of an area: few labelled cases may happen to be alike."""

LEAST_POSITION_DEVIATION = 0.03
"""Of a centre, as a share of the image's diagonal."""


@dataclass(frozen=True)
class Expected:
    """What the labelled cases show of each class; arrays (class,), NaN where no case has it.

    Attributes:
        cases: how many labelled cases there are.
        present: how many of them have the class.
        log_area: mean of the logarithm of its area, as a share of the image.
        log_area_deviation: its deviation.
        centre: mean of its centre, (class, 2), rows and columns as shares of the diagonal.
        centre_deviation: root mean square distance of the centres from it.
    """

    cases: int
    present: NDArray[np.int_]
    log_area: NDArray[np.float64]
    log_area_deviation: NDArray[np.float64]
    centre: NDArray[np.float64]
    centre_deviation: NDArray[np.float64]


def expected_of(masks: Iterable[NDArray[np.bool_]], classes: int) -> Expected:
    """What labelled masks, each (class, height, width), show."""
    shapes = np.array([_shapes(case) for case in masks]).reshape(-1, classes, 3)
    present = (~np.isnan(shapes[..., 0])).sum(axis=0)
    mean, deviation = np.full((classes, 3), np.nan), np.full((classes, 3), np.nan)
    seen = present > 0
    mean[seen] = np.nanmean(shapes[:, seen], axis=0)
    deviation[seen] = np.nanstd(shapes[:, seen], axis=0)
    return Expected(
        len(shapes),
        present,
        mean[:, 0],
        np.maximum(deviation[:, 0], LEAST_SIZE_DEVIATION),
        mean[:, 1:],
        np.maximum(np.hypot(deviation[:, 1], deviation[:, 2]), LEAST_POSITION_DEVIATION),
    )


def measure(
    probabilities: Sequence[NDArray[np.uint8]],
    refined: NDArray[np.bool_],
    quality: Sequence[float],
    expected: Expected,
) -> dict[str, NDArray[np.float64]]:
    """Every reason for every class of one case, (class,); NaN where it says nothing, as of an absent class.

    Args:
        probabilities: P times 255 (class, height, width) of each seed; R was made from the first.
        refined: R (class, height, width).
        quality: SAM's IoU estimate of each class, NaN where it is absent.
        expected: what the labelled cases show.
    """
    seen = [case > THRESHOLD for case in probabilities]
    shapes = _shapes(refined)
    foreground = seen[0].sum(axis=(1, 2))
    kept = most_likely_components(probabilities[0]).sum(axis=(1, 2))
    share = (expected.present + 1) / (expected.cases + 2)
    distance = np.hypot(*(shapes[:, 1:] - expected.centre).T)
    with np.errstate(invalid="ignore"):
        return {
            "sam_quality": 1 - np.asarray(quality, dtype=float),
            "agreement": _disagreement(seen[0], refined),
            "thrown_away": 1 - kept / np.where(foreground > 0, foreground, np.nan),
            "presence": -np.log(np.where(refined.any(axis=(1, 2)), share, 1 - share)),
            "size": np.abs(shapes[:, 0] - expected.log_area) / expected.log_area_deviation,
            "position": distance / expected.centre_deviation,
            "seeds": _mean_disagreement(seen),
        }


def measure_rows(
    case: str, classes: Sequence[str], measures: Mapping[str, NDArray[np.float64]], refined: NDArray[np.bool_]
) -> list[dict[str, object]]:
    """Rows of a table of measures: case, class, area (of R, share of the image), and each reason."""
    area = refined.mean(axis=(1, 2))
    return [
        {"case": case, "class": name, "area": area[index]}
        | {reason: measures[reason][index] for reason in REASONS}
        for index, name in enumerate(classes)
    ]


def write_measures(path: str | Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a table of measures as CSV, atomically; empty where a reason says nothing."""
    write_ranking(path, pd.DataFrame(rows, columns=["case", "class", "area", *REASONS]))


def write_ranking(path: str | Path, table: pd.DataFrame) -> None:
    """Write measures, doubt.csv or classes.csv atomically; numbers have five decimals."""
    write_frame(path, table, "%.5f")


def _shapes(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logarithm of the area and centre (row, column) of each mask: (class, 3), NaN where it is empty."""
    height, width = masks.shape[1:]
    diagonal = math.hypot(height, width)
    pixels = masks.sum(axis=(1, 2)).astype(float)
    pixels[pixels == 0] = np.nan
    rows = (masks.sum(axis=2) * np.arange(height)).sum(axis=1) / pixels
    columns = (masks.sum(axis=1) * np.arange(width)).sum(axis=1) / pixels
    return np.stack([np.log(pixels / (height * width)), rows / diagonal, columns / diagonal], axis=1)


def _disagreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 - Dice of each class (class,); NaN where both are empty."""
    sizes = one.sum(axis=(1, 2)) + other.sum(axis=(1, 2))
    common = (one & other).sum(axis=(1, 2))
    return 1 - 2 * common / np.where(sizes > 0, sizes, np.nan)


def _mean_disagreement(several: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Mean of `_disagreement` over all pairs; NaN of a single one."""
    pairs = [_disagreement(one, other) for one, other in itertools.combinations(several, 2)]
    return np.mean(pairs, axis=0) if pairs else np.full(len(several[0]), np.nan)


MOST_REASONS = 3
"""That are told of a case."""

_TELLING = 0.5
"""A reason is told only if the case is among the worse half by it."""


def read_measures(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The tables of several shards as one; names stay text."""
    tables = [read_frame(path, ("case", "class")) for path in paths]
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


def read_ranking(path: str | Path) -> pd.DataFrame:
    """Read doubt.csv or classes.csv; names stay text, even such as '007' and 'None'."""
    return read_frame(path, ("case", "class", "reason"))


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
