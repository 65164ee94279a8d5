"""The same radiograph twice: in one split or two, of one patient or two."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samcarry.audit.chance import fit_tail
from samcarry.data.duplicates import HELD_AT_ONCE, appearance_of, even_and_odd, similarities
from samcarry.data.patients import patient_key

_EQUAL = 0.99
"""Similarity above which two images of one patient are the same image; others are two exposures."""

_LEAST = 0.7
"""Similarity below which two images never are the same, whatever the others are like."""

_MIN_SCALE = 0.02
"""Lower limit of the scale of the tail of similarities."""


@dataclass(frozen=True)
class Origin:
    """Where a case is from: its split and its patient."""

    split: str
    patient: str


@dataclass(frozen=True)
class Twins:
    """Two cases that seem to show the same radiograph.

    Attributes:
        cases: their names.
        similarity: 0..1.
        mirrored: whether one is the mirror image of the other.
        by_chance: how many pairs of at least this similarity chance gives.
    """

    cases: tuple[str, str]
    similarity: float
    mirrored: bool
    by_chance: float


def find_twins(images: Mapping[str, NDArray[np.uint8]], origins: Mapping[str, Origin]) -> list[Twins]:
    """Pairs of cases with the same radiograph, the most similar first.

    Similarity alone does not say that two images are the same, since all radiographs of a kind are similar:
    it is judged by that of each image with the image most similar to it. Two images of one patient have to be
    equal.

    Args:
        images: {case: grey values (height, width)}, at network size.
        origins: of the same cases.
    """
    cases = list(images)
    parts = even_and_odd([appearance_of(images[case]).thumbnail for case in cases])
    nearest = np.zeros(len(cases))
    pairs: dict[tuple[int, int], tuple[float, bool]] = {}
    for start in range(0, len(cases), HELD_AT_ONCE):
        some = np.arange(start, min(start + HELD_AT_ONCE, len(cases)))
        similarity, mirrored = similarities(parts, some)
        similarity[np.arange(len(some)), some] = 0
        nearest[some] = similarity.max(axis=1)
        for row, column in np.argwhere(similarity > _LEAST):
            if some[row] < column:
                pair = (int(some[row]), int(column))
                pairs[pair] = (float(similarity[row, column]), bool(mirrored[row, column]))
    tail = fit_tail(nearest, 0.5, 0.8, _MIN_SCALE)
    found = [
        Twins((cases[one], cases[other]), similarity, mirrored, len(cases) * tail.chance(similarity))
        for (one, other), (similarity, mirrored) in pairs.items()
        if similarity > _EQUAL or not _same_patient(origins[cases[one]], origins[cases[other]])
    ]
    return sorted(found, key=lambda twins: -twins.similarity)


def _same_patient(one: Origin, other: Origin) -> bool:
    return patient_key(one.patient) == patient_key(other.patient)


def describe_twins(twins: Twins, origins: Mapping[str, Origin], agreement: float | None) -> str:
    """What two such cases mean, as sentences.

    Args:
        twins: the cases.
        origins: of both.
        agreement: mean Dice of their given labels; None if one of them has none.
    """
    one, other = (origins[case] for case in twins.cases)
    text = f"This radiograph and {twins.cases[1]} look like the same one"
    text += " mirrored" if twins.mirrored else ""
    text += f" (similarity {twins.similarity:.2f} of 1)."
    if not _same_patient(one, other):
        text += f" They are listed under two patients, {one.patient} and {other.patient}."
    if one.split != other.split:
        text += f" They are in two splits, {one.split} and {other.split}: one may train the networks that the"
        text += " other tests."
    if agreement is not None:
        text += f" Their labels agree with a mean Dice of {100 * agreement:.0f} %."
    return text
