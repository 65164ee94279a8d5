"""What a model file says of how sure its network may be, fitted on validation cases."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from samcarry.confidence.calibration import HOTTEST, Levels, calibrated, fit_temperature
from samcarry.confidence.conformal import of_patients, promised
from samcarry.confidence.measures import TOLERANCE, Measured, expected_dice, of_class
from samcarry.confidence.shown import Shown, read_shown, shown_as_json

VERSION = 1
"""Of the definitions of scores; numbers of another version are not comparable."""


@dataclass(frozen=True)
class ClassConfidence:
    """One class.

    Attributes:
        temperature: by which log-odds are divided, above 0.
        outer: the outer shift that each validation patient needs (`conformal.smallest_shifts`), ascending;
            of patients who have the class and in whom it is drawn.
        inner: as `outer`, the inner shift.
        excess: expected minus true Dice of each validation patient who has the class, ascending.
        missed: how many of these patients have an image in which the class is not drawn.
    """

    temperature: float
    outer: tuple[float, ...]
    inner: tuple[float, ...]
    excess: tuple[float, ...]
    missed: int


@dataclass(frozen=True)
class Confidence:
    """All classes in the order of the model, the mean over classes, and what the network was shown.

    Attributes:
        patients: number of validation patients.
        classes: one entry for each class.
        excess: expected minus true mean Dice over classes of each validation patient, ascending.
        shown: features of training images; None if there is no check.
    """

    patients: int
    classes: tuple[ClassConfidence, ...]
    excess: tuple[float, ...]
    shown: Shown | None = None


def fit_confidence(
    measured: Sequence[Measured], classes: Sequence[str], shown: Shown | None = None
) -> Confidence:
    """Fit temperatures and collect scores of patients whom the network did not learn from.

    Args:
        measured: one entry for each case and class.
        classes: the classes in the order of the model.
        shown: what the network was shown.
    """
    found = [_fit_class(of_class(measured, name)) for name in classes]
    levels = levels_of(classes, found)
    excess = [
        (cases[0].patient, difference)
        for cases in _by_case(measured)
        if not math.isnan(difference := _case_excess(cases, levels))
    ]
    patients = len({one.patient for one in measured})
    return Confidence(patients, tuple(found), _scores(excess), shown)


def levels_of(classes: Sequence[str], fitted: Sequence[ClassConfidence]) -> dict[str, Levels]:
    """{class: the calibrated probability of each stored value}."""
    return {name: calibrated(one.temperature) for name, one in zip(classes, fitted, strict=True)}


def _fit_class(measured: Sequence[Measured]) -> ClassConfidence:
    counts = sum((one.counts for one in measured), np.zeros((256, 2), np.int64))
    temperature = fit_temperature(counts)
    levels = calibrated(temperature)
    present = [one for one in measured if one.present]
    missed = {one.patient for one in present if not one.is_drawn}
    excess = [(one.patient, expected_dice(one.drawn, levels) - one.dice) for one in present]
    outer = _scores([(one.patient, one.outer) for one in present])
    inner = _scores([(one.patient, one.inner) for one in present])
    return ClassConfidence(temperature, outer, inner, _scores(excess), len(missed))


def _scores(pairs: Sequence[tuple[str, float]]) -> tuple[float, ...]:
    return tuple(sorted(float(f"{score:.7g}") for score in of_patients(pairs).values()))


def _by_case(measured: Sequence[Measured]) -> list[list[Measured]]:
    cases: dict[str, list[Measured]] = {}
    for one in measured:
        cases.setdefault(one.case, []).append(one)
    return list(cases.values())


def expected_case_dice(expected: Sequence[float]) -> float:
    """The mean Dice that is expected of a case: over its drawn classes, whose expected Dice is above 0."""
    drawn = [score for score in expected if score > 0]
    return float(np.mean(drawn)) if drawn else 0.0


def _case_excess(measured: Sequence[Measured], levels: Mapping[str, Any]) -> float:
    """Expected minus true mean Dice of a case; NaN if it has none of the classes."""
    true = [one.dice for one in measured if one.present]
    expected = [expected_dice(one.drawn, levels[one.name]) for one in measured]
    return expected_case_dice(expected) - float(np.mean(true)) if true else math.nan


def dice_at_least(expected: float, excess: Sequence[float], coverage: float) -> float | None:
    """The lower bound of a Dice, 0..1, that holds with the probability `coverage`; None without a promise.

    Args:
        expected: the expected Dice of the mask, or of the case.
        excess: expected minus true Dice of validation patients.
        coverage: above 0 and below 1.
    """
    limit = promised(excess, coverage)
    return None if limit is None else min(1.0, max(0.0, expected - limit))


def case_excess(measured: Sequence[Measured], classes: Sequence[str], fitted: Confidence) -> dict[str, float]:
    """{patient: the largest excess of the mean Dice over classes}, with the fitted temperatures."""
    levels = levels_of(classes, fitted.classes)
    return of_patients((cases[0].patient, _case_excess(cases, levels)) for cases in _by_case(measured))


def confidence_as_json(confidence: Confidence) -> dict[str, Any]:
    """JSON values for the metadata of a model file; they contain no names."""
    return {
        "version": VERSION,
        "tolerance": TOLERANCE,
        "patients": confidence.patients,
        "temperature": [one.temperature for one in confidence.classes],
        "outer": [list(one.outer) for one in confidence.classes],
        "inner": [list(one.inner) for one in confidence.classes],
        "class_excess": [list(one.excess) for one in confidence.classes],
        "missed": [one.missed for one in confidence.classes],
        "excess": list(confidence.excess),
        "shown": None if confidence.shown is None else shown_as_json(confidence.shown),
    }


def read_confidence(entry: Mapping[str, Any], classes: int) -> Confidence:
    """What `confidence_as_json` has written.

    Raises:
        KeyError, TypeError, ValueError: it is not valid, or of another version or number of classes.
    """
    if entry["version"] != VERSION or entry["tolerance"] != TOLERANCE:
        raise ValueError(f"version {entry['version']!r} of the confidence is not known")
    parts = [entry[name] for name in ("temperature", "outer", "inner", "class_excess", "missed")]
    if any(not isinstance(part, list) or len(part) != classes for part in parts):
        raise ValueError("the confidence is not of these classes")
    found = tuple(
        ClassConfidence(
            float(temperature),
            tuple(sorted(map(float, outer))),
            tuple(sorted(map(float, inner))),
            tuple(sorted(map(float, excess))),
            int(missed),
        )
        for temperature, outer, inner, excess, missed in zip(*parts, strict=True)
    )
    of_cases = tuple(sorted(map(float, entry["excess"])))
    scores = [score for one in found for score in (*one.outer, *one.inner, *one.excess)]
    if not all(math.isfinite(score) for score in (*scores, *of_cases)):
        raise ValueError("a score is not a number")
    if not all(1 / HOTTEST <= one.temperature <= HOTTEST for one in found):
        raise ValueError("a temperature is out of range")
    shown = None if entry["shown"] is None else read_shown(entry["shown"])
    return Confidence(int(entry["patients"]), found, of_cases, shown)
