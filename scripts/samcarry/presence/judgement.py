"""The fitted presence step: a logistic regression on the evidence, and where it draws the line.

A JSON file or the metadata of a model file hold it as plain numbers.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.presence.anatomy import Anatomy, which_have_pixels
from samcarry.presence.evidence import NAMES, measure_evidence
from samcarry.presence.logistic import Fitted, fit_logistic
from samcarry.storage.files import write_text
from samcarry.storage.probabilities import foreground
from samcarry.storage.reading import reading_made
from samcarry.storage.texts import read_json

VERSION = 1
"""Of the definition of the evidence; numbers of another version are not comparable."""

FEWEST = 10
"""Masks of absent classes, and of present ones, that a fit needs at least."""

_RIDGE = 10.0
"""Strength of the penalty on squared weights; the evidence is standardised."""
_LEAST_WEIGHT = 0.02
"""In the fit, of a mask of a present class that misses it."""


@dataclass(frozen=True)
class Example:
    """The classes of one labelled case, seen by a network that did not learn from it.

    Attributes:
        evidence: (C, 7), from an anatomy that does not include the case.
        drawn: whether the network draws the class (C,).
        there: whether the labels have it (C,).
        dice: Dice of its mask, 0..1 (C,); 0 where the class is absent or not drawn.
        fold: the fold of its patient, from 1.
        own: whether the network is the one whose masks are to be judged, and not one of a fold.
    """

    evidence: NDArray[np.float64]
    drawn: NDArray[np.bool_]
    there: NDArray[np.bool_]
    dice: NDArray[np.float64]
    fold: int
    own: bool


@dataclass(frozen=True)
class Presence:
    """How to judge whether a class is there.

    Attributes:
        anatomy: of X^n.
        centre: mean of each kind of evidence in the fit (7,).
        scale: its standard deviation (7,), above 0.
        weight: log-odds for each standard deviation (7,).
        intercept: log-odds of mean evidence.
        absent_below: log-odds below which a drawn class is judged absent.
        sure_above: log-odds from which it is judged present; between the two, it is kept but undecided.
        fault: why nothing could be fitted, so that all classes are kept; '' if it could.
    """

    anatomy: Anatomy
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    intercept: float
    absent_below: float
    sure_above: float
    fault: str = ""


@dataclass(frozen=True)
class Judged:
    """The judgement of each class of a case.

    Attributes:
        probability: that it is there, 0..1 (C,).
        absent: whether it is drawn but judged absent (C,).
        unsure: whether it is drawn and neither judged absent nor surely there (C,).
    """

    probability: NDArray[np.float64]
    absent: NDArray[np.bool_]
    unsure: NDArray[np.bool_]


def fit_presence(
    examples: Sequence[Example], anatomy: Anatomy, *, dice_loss: float, undecided_loss: float
) -> Presence:
    """Fit the judgement on labelled cases, and choose its limits on the folds that each fit left out.

    A mask of a present class counts by its Dice, because nothing is lost with a mask that misses.

    Args:
        examples: cases of X^n and validation cases.
        anatomy: of all cases of X^n.
        dice_loss: how much the mean Dice of present classes may fall if the masks of all classes below
            `absent_below` are removed, 0..1.
        undecided_loss: as `dice_loss`, for `sure_above`; not smaller.
    """
    counts = [
        sum(int((example.drawn & (example.there == there)).sum()) for example in examples)
        for there in (False, True)
    ]
    if min(counts) < FEWEST:
        return _keep_all(
            anatomy,
            f"{counts[0]} masks of absent classes and {counts[1]} of present ones were drawn in "
            f"{len(examples)} labelled cases, and a fit needs {FEWEST} of each",
        )
    drawn = np.concatenate([example.drawn for example in examples])
    evidence, there, dice = (
        np.concatenate([getattr(example, name) for example in examples])[drawn]
        for name in ("evidence", "there", "dice")
    )
    present = sum(int(example.there.sum()) for example in examples)
    classes = len(examples[0].drawn)
    fold = np.repeat([example.fold for example in examples], classes)[drawn]
    own = np.repeat([example.own for example in examples], classes)[drawn]
    # A network of a fold may be less sure than the one to be judged: its level is fitted apart.
    columns = np.column_stack([evidence, own])
    importance = np.where(there, np.maximum(dice, _LEAST_WEIGHT), 1)
    seen = np.zeros(len(columns))
    for one in np.unique(fold):
        rest = fold != one
        seen[~rest] = fit_logistic(columns[rest], there[rest], importance[rest], _RIDGE).score(columns[~rest])
    fitted = fit_logistic(columns, there, importance, _RIDGE)
    centre, scale, weight, intercept = fitted.centre, fitted.scale, fitted.weight, fitted.intercept
    limits = [_limit(seen, dice, loss * present) for loss in (dice_loss, undecided_loss)]
    intercept += weight[-1] * (1 - centre[-1]) / scale[-1] if own.any() else 0
    return Presence(
        anatomy,
        _numbers(centre[:-1]),
        _numbers(scale[:-1]),
        _numbers(weight[:-1]),
        float(intercept),
        limits[0],
        max(limits),
    )


def _numbers(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(map(float, values))


def _keep_all(anatomy: Anatomy, fault: str) -> Presence:
    nothing = (0.0,) * len(NAMES)
    return Presence(anatomy, nothing, (1.0,) * len(NAMES), nothing, 0.0, 0.0, 0.0, fault)


def _limit(seen: NDArray[np.float64], dice: NDArray[np.float64], affordable: float) -> float:
    """The largest log-odds such that masks with lower ones have a sum of Dice of at most `affordable`."""
    order = np.argsort(seen, kind="stable")
    lost = np.cumsum(dice[order])
    first_kept = min(int(np.searchsorted(lost, affordable, side="right")), len(order) - 1)
    return float(seen[order][first_kept])


def judge(presence: Presence, probabilities: NDArray[np.uint8]) -> Judged:
    """Judge each class of a case from its probabilities times 255 (C, height, width).

    If nothing could be fitted, all drawn classes are kept, with their largest probability.
    """
    drawn = which_have_pixels(foreground(probabilities))
    if presence.fault:
        nothing = np.zeros_like(drawn)
        return Judged(probabilities.reshape(len(drawn), -1).max(axis=1) / 255, nothing, nothing)
    evidence = measure_evidence(probabilities, presence.anatomy)
    centre, scale, weight = (np.array(part) for part in (presence.centre, presence.scale, presence.weight))
    score = Fitted(centre, scale, weight, presence.intercept).score(evidence)
    absent = drawn & (score < presence.absent_below)
    unsure = drawn & ~absent & (score < presence.sure_above)
    return Judged(1 / (1 + np.exp(-np.clip(score, -700, 700))), absent, unsure)


def presence_as_json(presence: Presence) -> dict[str, Any]:
    """The judgement as JSON values, which hold every bit of it."""
    arrays = {name: value.tolist() for name, value in vars(presence.anatomy).items() if name != "cases"}
    anatomy = {"cases": presence.anatomy.cases, **arrays}
    return {"version": VERSION, "evidence": list(NAMES), **asdict(presence), "anatomy": anatomy}


def read_presence(entry: dict[str, Any], classes: int) -> Presence:
    """The judgement of JSON values that `presence_as_json` gave.

    Args:
        entry: the values.
        classes: the number of classes that it has to be for.

    Raises:
        ValueError, KeyError, TypeError: they are damaged, for other classes, or of another version.
    """
    if entry["version"] != VERSION or entry["evidence"] != list(NAMES):
        raise ValueError(f"its presence step has version {entry['version']!r:.20}, not {VERSION}")
    given = entry["anatomy"]

    def array(name: str, *shape: int) -> NDArray[np.float64]:
        found = np.array(given[name], dtype=np.float64)
        if found.shape != shape or not np.isfinite(found).all():
            raise ValueError(f"{name} of its presence step does not fit {classes} classes")
        if name.endswith("spread") and not (found > 0).all():
            raise ValueError(f"{name} of its presence step is not above 0")
        return found

    anatomy = Anatomy(
        int(given["cases"]),
        array("together", classes, classes).astype(np.int64),
        array("area", classes),
        array("area_spread", classes),
        array("centre", classes, 2),
        array("centre_spread", classes, 2),
    )
    rows = {name: tuple(map(float, entry[name])) for name in ("centre", "scale", "weight")}
    intercept, low, high = (float(entry[name]) for name in ("intercept", "absent_below", "sure_above"))
    values = [intercept, low, high, *(value for row in rows.values() for value in row)]
    if {len(row) for row in rows.values()} != {len(NAMES)} or not np.isfinite(values).all():
        raise ValueError("the numbers of its presence step are damaged")
    if min(rows["scale"]) <= 0 or not isinstance(entry["fault"], str):
        raise ValueError("the scales of its presence step are damaged")
    return Presence(
        anatomy, rows["centre"], rows["scale"], rows["weight"], intercept, low, high, entry["fault"]
    )


def write_presence(path: str | Path, presence: Presence, classes: Sequence[str]) -> None:
    """Write the judgement and the names of its classes as JSON, atomically."""
    entry = {"classes": list(classes), **presence_as_json(presence)}
    write_text(path, json.dumps(entry, ensure_ascii=False, indent=1))


def read_presence_file(path: str | Path, classes: Sequence[str]) -> Presence:
    """The judgement that `write_presence` wrote, for these classes in this order.

    Raises:
        DamagedError: the file is missing, damaged, or for other classes.
    """
    damage = (KeyError, TypeError, ValueError, OverflowError, AttributeError)
    with reading_made(path, "this presence step is damaged", damage):
        entry = read_json(path)
        if entry["classes"] != list(classes):
            raise ValueError("it is for other classes")
        return read_presence(entry, len(classes))
