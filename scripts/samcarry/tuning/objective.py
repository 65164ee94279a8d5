"""The objective of tuning: the gain in Dice of a refiner over f_θ on validation cases."""

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from samcarry.baselines.random_walk import RandomWalkSettings, refine_by_random_walk
from samcarry.errors import InputError
from samcarry.evaluation.dice import dice
from samcarry.prompting.cleaning import most_likely_components
from samcarry.storage.stacks import pairs_of
from samcarry.tuning.search_spaces import Settings

Objective = Callable[[Settings], Generator[list[float], None, None]]
"""The gains of a refiner with given settings, case after case: one for each present class, -1..1."""


@dataclass(frozen=True)
class Case:
    """A labelled case with everything that does not depend on the settings."""

    name: str
    reference: NDArray[np.bool_]  # (class, height, width)
    probabilities: NDArray[np.uint8]  # P times 255, (class, height, width)
    components: NDArray[np.bool_]  # (class, height, width), the most likely component of each class
    initial: tuple[float | None, ...]  # Dice of f_θ by class; None if the reference is empty


def read_cases(probabilities: Iterable[str], masks: Iterable[str]) -> list[Case]:
    """The labelled cases of some shards.

    Args:
        probabilities: stacks of f_θ's probability maps.
        masks: stacks of reference masks, in the same order.

    Raises:
        InputError: there is no case in which a class is present.
    """
    cases = []
    for maps, references in pairs_of(probabilities, masks):
        of_case = zip(references.cases, references.masks, maps.values, maps.masks, strict=True)
        for name, reference, values, masks_of_case in of_case:
            initial = tuple(dice(*pair) for pair in zip(reference, masks_of_case, strict=True))
            cases.append(Case(name, reference, values, most_likely_components(values), initial))
    if not any(case.reference.any() for case in cases):
        raise InputError(
            "tuning needs labelled validation cases, but no validation case contains a class: "
            "add some (split 'val' in cases.csv), or set tuning.trials: 0"
        )
    return cases


def initial_dice(cases: Sequence[Case]) -> tuple[float, int]:
    """Mean Dice of f_θ, 0..1, over all present classes of all cases, and the number of these masks."""
    known = [value for case in cases for value in case.initial if value is not None]
    return float(np.mean(known)), len(known)


def in_random_order(cases: Sequence[Case], seed: int) -> list[Case]:
    """The cases in an order that says nothing about them, so that the first few represent all."""
    return [cases[index] for index in np.random.default_rng(seed).permutation(len(cases))]


def mean_gain(gains: Iterable[Sequence[float]]) -> float:
    """The mean gain over all present classes of all cases, -1..1; it does not depend on their order."""
    values = list(chain.from_iterable(gains))
    return math.fsum(values) / len(values)


def gains_of_case(case: Case, masks: NDArray[np.bool_]) -> list[float]:
    """Dice(masks) - Dice(f_θ) for each class present in the reference; masks are (class, height, width)."""
    triples = zip(case.reference, masks, case.initial, strict=True)
    return [(dice(*pair) or 0.0) - initial for *pair, initial in triples if initial is not None]


def random_walk_objective(cases: Sequence[Case], images: Sequence[NDArray[np.uint8]]) -> Objective:
    """The gains of the random walk as a function of its settings.

    Args:
        cases: the cases.
        images: grey values (height, width) of each case, in the same order.
    """

    def objective(settings: Settings) -> Generator[list[float], None, None]:
        walk = RandomWalkSettings(**settings)
        for case, image in zip(cases, images, strict=True):
            yield gains_of_case(case, refine_by_random_walk(image, case.components, walk))

    return objective
