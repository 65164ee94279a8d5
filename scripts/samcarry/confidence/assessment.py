"""Tables of calibration and of promised against achieved coverage, on cases that nothing was fitted on."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samcarry.confidence.calibration import (
    BINS,
    NOTHING,
    STORED,
    Counts,
    Levels,
    calibrated,
    reliability,
)
from samcarry.confidence.conformal import (
    exact_interval,
    of_patients,
    patients_needed,
    promised,
    why_not,
)
from samcarry.confidence.contours import inner_area, outer_area
from samcarry.confidence.fitted import ClassConfidence, Confidence, case_excess, fit_confidence, levels_of
from samcarry.confidence.measures import Measured, expected_dice, of_class
from samcarry.data.folds import folds_of
from samcarry.evaluation.intervals import interval_of

ALL = "all"
"""The class of rows that concern all classes together."""

FOLDS = 5
"""Parts of the validation patients, if there is no test split."""

_ROUNDING = 1e-6  # scores of validation patients are rounded

CALIBRATION = (
    *("level", "class", "cases", "patients", "predictions", "temperature", "ece_before", "ece_after"),
    *("brier_before", "brier_after", "brier_change", "brier_change_low", "brier_change_high"),
)
RELIABILITY = ("level", "temperature", "bin", "predictions", "predicted", "observed")
COVERAGE = (
    *("promise", "class", "coverage", "needed", "validation_patients", "patients", "kept", "achieved"),
    *("achieved_low", "achieved_high", "limit", "area", "remark"),
)


@dataclass(frozen=True)
class Part:
    """Cases to assess, and the confidence that was fitted without them."""

    fitted: Confidence
    measured: tuple[Measured, ...]


def parts_of(validation: Sequence[Measured], test: Sequence[Measured], classes: Sequence[str]) -> list[Part]:
    """The test cases with what was fitted on validation cases.

    Without test cases, the validation patients are dealt out to five parts, and each part is assessed with
    what was fitted on the others. No part without a validation case; one patient only cannot be assessed.
    """
    if test:
        return [Part(fit_confidence(validation, classes), tuple(test))] if validation else []
    patients = [one.patient for one in validation]
    count = min(FOLDS, len(set(patients)))
    if count < 2:
        return []
    folds = folds_of(patients, count)
    parts = []
    for fold in range(1, count + 1):
        pairs = list(zip(validation, folds, strict=True))
        rest = [one for one, own in pairs if own != fold]
        parts.append(Part(fit_confidence(rest, classes), tuple(one for one, own in pairs if own == fold)))
    return parts


# ---- calibration ---------------------------------------------------------------------------------


def _near_object(one: Measured) -> Counts:
    return one.counts


def _in_image(one: Measured) -> Counts:
    """The largest probability of the image, as one prediction of whether the class is there."""
    counts = np.zeros((256, 2), np.int64)
    counts[one.largest, int(one.present)] = 1
    return counts


LEVELS: Mapping[str, Callable[[Measured], Counts]] = {"pixel": _near_object, "image": _in_image}
"""What a prediction is: "this pixel is in the object", of the pixels near the object (see
`calibration.window_of`), or "the class is in this image", whose probability is the largest of its pixels."""


def _with_levels(parts: Iterable[Part], classes: Sequence[str]) -> Iterator[tuple[Measured, Levels]]:
    """Each measured class of each case with its calibrated probabilities."""
    for part in parts:
        levels = levels_of(classes, part.fitted.classes)
        yield from ((one, levels[one.name]) for one in part.measured)


def calibration_table(parts: Sequence[Part], classes: Sequence[str]) -> pd.DataFrame:
    """Calibration error and Brier score before and after the temperature, by level and class.

    Columns:

    - level: 'pixel' or 'image', see `LEVELS`; class; 'all' is the mean over classes;
    - cases, patients, predictions: how many there are;
    - temperature: the fitted one (the mean of several fits, if validation cases were assessed in parts);
    - ece_before, ece_after: expected calibration error, 0..1, see `Reliability.error`;
    - brier_before, brier_after: Brier score, 0..1;
    - brier_change: mean over cases of the change of a case's Brier score, with its 95 % interval by patient.
    """
    pairs = list(_with_levels(parts, classes))
    patients = {one.case: one.patient for one, _ in pairs}
    temperatures = np.array([[one.temperature for one in part.fitted.classes] for part in parts])
    rows = []
    for level, counts_of in LEVELS.items():
        of_level, changes = [], []
        for place, name in enumerate(classes):
            own = [(one.case, counts_of(one), levels) for one, levels in pairs if one.name == name]
            known = [(case, counts, levels) for case, counts, levels in own if counts.sum()]
            before = sum((reliability(counts, STORED) for _, counts, _ in known), NOTHING)
            after = sum((reliability(counts, levels) for _, counts, levels in known), NOTHING)
            change = pd.Series(
                {
                    case: reliability(counts, levels).brier - reliability(counts, STORED).brier
                    for case, counts, levels in known
                },
                dtype=float,
            )
            changes.append(change)
            numbers = (before.error, after.error, before.brier, after.brier)
            of_level.append((before.count.sum(), temperatures[:, place].mean(), *numbers))
            rows.append((level, name, *_sizes(change, patients), *of_level[-1], *_change(change, patients)))
        mean = pd.concat(changes, axis=1).mean(axis=1)
        table = np.array(of_level)
        total = (table[:, 0].sum(), *_means(table[:, 1:]))
        rows.append((level, ALL, *_sizes(mean, patients), *total, *_change(mean, patients)))
    return pd.DataFrame(rows, columns=CALIBRATION)


def _sizes(values: pd.Series, patients: Mapping[str, str]) -> tuple[int, int]:
    return len(values), len({patients[case] for case in values.index})


def _change(values: pd.Series, patients: Mapping[str, str]) -> tuple[float, float, float]:
    interval = interval_of(values, patients, "difference")
    return float(values.mean()), interval.low, interval.high


def _means(table: np.ndarray) -> list[float]:
    """The mean of each column without its NaNs; NaN if there is nothing else."""
    columns = [column[~np.isnan(column)] for column in table.T]
    return [float(column.mean()) if len(column) else math.nan for column in columns]


def reliability_table(parts: Sequence[Part], classes: Sequence[str]) -> pd.DataFrame:
    """The reliability diagram of all classes together: one row for each level, temperature and bin.

    Columns: level, temperature ('before', 'after'), bin (its lower end), predictions, the mean of what they
    predicted, and the share of them that was true.
    """
    pairs = list(_with_levels(parts, classes))
    rows = []
    for level, counts_of in LEVELS.items():
        for when in ("before", "after"):
            found = sum(
                (reliability(counts_of(one), STORED if when == "before" else own) for one, own in pairs),
                NOTHING,
            )
            rows += [
                (level, when, place / BINS, int(count), predicted / count, true / count)
                for place, (count, predicted, true) in enumerate(
                    zip(found.count, found.predicted, found.true, strict=True)
                )
                if count
            ]
    return pd.DataFrame(rows, columns=RELIABILITY)


# ---- coverage ------------------------------------------------------------------------------------

Scores = Mapping[str, float]
"""{patient: score}"""


@dataclass(frozen=True)
class _Kept:
    """Whether a promise was kept.

    Attributes:
        validation: number of validation patients with a score, the fewest of several fits.
        patients: whether it was kept for each assessed patient with a score; empty without a promise.
        assessed: number of assessed patients with a score.
        limits: the limit of each fit; empty without a promise.
        areas: areas of the promised masks, each divided by the area of its object.
        remark: why nothing was promised.
    """

    validation: int
    patients: Mapping[str, bool]
    assessed: int
    limits: Sequence[float] = ()
    areas: Sequence[float] = ()
    remark: str = ""


def coverage_table(parts: Sequence[Part], classes: Sequence[str], coverages: Sequence[float]) -> pd.DataFrame:
    """Promised against achieved coverage, by patient.

    Columns:

    - promise: 'outer' (the outer mask holds the object), 'inner' (the inner mask is inside it), 'both' of
      these at once, 'dice' (Dice is not below its bound), or 'case dice' (the same of the mean over classes).
      All of them concern classes that are there; masks also have to be drawn;
    - class; 'all' is the mean over classes, and for 'case dice' the only one;
    - coverage: what is promised, 0..1; of 'both', it is what follows from the other two: 2 c − 1;
    - needed: validation patients without whom nothing can be promised;
    - validation_patients: those with a score (the fewest of several fits);
    - patients: assessed patients with a score; kept: those for whom the promise holds;
    - achieved: their share, with its exact binomial 95 % interval; for 'all', with its interval by patient;
    - limit: the shift, or by how much expected Dice may exceed true Dice (the mean of several fits);
    - area: the median area of the promised masks, each divided by the area of its object;
    - remark: why nothing is promised.
    """
    rows = []
    for coverage in coverages:
        found: dict[str, list[_Kept]] = {"outer": [], "inner": [], "both": [], "dice": []}
        for place, name in enumerate(classes):
            own = [(part.fitted.classes[place], of_class(part.measured, name)) for part in parts]
            outer = _kept([(fit.outer, _of(cases, "outer")) for fit, cases in own], coverage)
            inner = _kept([(fit.inner, _of(cases, "inner")) for fit, cases in own], coverage)
            measured = [cases for _, cases in own]
            found["outer"].append(_with_areas(outer, measured, outer_area))
            found["inner"].append(_with_areas(inner, measured, inner_area))
            found["both"].append(_both(outer, inner))
            found["dice"].append(_kept([(fit.excess, _excess(cases, fit)) for fit, cases in own], coverage))
        for promise, of_classes in found.items():
            level = max(0.0, 2 * coverage - 1) if promise == "both" else coverage
            start = (patients_needed(coverage),)
            rows += [
                (promise, name, level, *start, *_class_cells(kept))
                for name, kept in zip(classes, of_classes, strict=True)
            ]
            rows.append((promise, ALL, level, *start, *_mean_cells(of_classes)))
        pairs = [(part.fitted.excess, case_excess(part.measured, classes, part.fitted)) for part in parts]
        cells = _class_cells(_kept(pairs, coverage))
        rows.append(("case dice", ALL, coverage, patients_needed(coverage), *cells))
    return pd.DataFrame(rows, columns=COVERAGE)


def _of(cases: Iterable[Measured], name: str) -> Scores:
    return of_patients((one.patient, getattr(one, name)) for one in cases)


def _excess(cases: Iterable[Measured], fitted: ClassConfidence) -> Scores:
    levels = calibrated(fitted.temperature)
    return of_patients((one.patient, expected_dice(one.drawn, levels) - one.dice) for one in cases)


def _kept(pairs: Sequence[tuple[Sequence[float], Scores]], coverage: float) -> _Kept:
    """Whether each patient keeps a promise, from the (validation, assessed) scores of each fit."""
    fewest = min((validation for validation, _ in pairs), key=len)
    assessed = sum(len(own) for _, own in pairs)
    limits = [promised(validation, coverage) for validation, _ in pairs]
    known = [limit for limit in limits if limit is not None]
    if len(known) < len(limits):
        return _Kept(len(fewest), {}, assessed, remark=why_not(fewest, coverage))
    kept = {
        patient: score <= limit + _ROUNDING
        for (_, own), limit in zip(pairs, known, strict=True)
        for patient, score in own.items()
    }
    return _Kept(len(fewest), kept, assessed, known)


def _with_areas(
    kept: _Kept, measured: Sequence[Sequence[Measured]], area: Callable[[NDArray[np.float64], float], float]
) -> _Kept:
    if not kept.limits:
        return kept
    areas = [
        area(one.levels, limit) / one.area
        for cases, limit in zip(measured, kept.limits, strict=True)
        for one in cases
        if len(one.levels)
    ]
    return replace(kept, areas=areas)


def _both(outer: _Kept, inner: _Kept) -> _Kept:
    """Both masks of a class at once; they have the same patients."""
    patients = {patient: kept and inner.patients[patient] for patient, kept in outer.patients.items()}
    return replace(outer, patients=patients, limits=())


def _class_cells(kept: _Kept) -> tuple:
    """From the column `validation_patients` on."""
    total = len(kept.patients)
    count = sum(kept.patients.values())
    share = count / total if total else math.nan
    limit = float(np.mean(kept.limits)) if kept.limits else math.nan
    ends = (*exact_interval(count, total), limit, _median(kept.areas), kept.remark)
    return (kept.validation, kept.assessed, count, share, *ends)


def _mean_cells(of_classes: Sequence[_Kept]) -> tuple:
    """The mean over classes; its interval is by patient, because a patient's classes depend on each other."""
    pairs = [(patient, kept) for own in of_classes for patient, kept in own.patients.items()]
    patients = {str(place): patient for place, (patient, _) in enumerate(pairs)}
    fewest, count = min(own.validation for own in of_classes), len(set(patients.values()))
    if not pairs:
        return (fewest, count, 0, *[math.nan] * 5, "cannot promise for any class")
    values = pd.Series({str(place): float(kept) for place, (_, kept) in enumerate(pairs)})
    interval = interval_of(values, patients, "share")
    unable = sum(bool(own.remark) for own in of_classes)
    remark = f"cannot promise for {unable} of {len(of_classes)} classes" if unable else ""
    areas = [area for own in of_classes for area in own.areas]
    ends = (interval.low, interval.high, math.nan, _median(areas), remark)
    return (fewest, count, int(values.sum()), float(values.mean()), *ends)


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan
