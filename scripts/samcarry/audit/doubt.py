"""How doubtful a mask is: evidence weighted as errors show that are planted in the user's own labels.

Nobody knows which of the given labels are wrong, but most are right. So random errors are planted in copies
of them, and a logistic regression learns to tell these from the given ones. Weak networks then count less
than shapes and places, and the other way round, for each data set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from samcarry.audit.agreement import Judged
from samcarry.audit.evidence import (
    OF_GAP,
    OF_MASK,
    Evidence,
    Norms,
    Sight,
    look,
    measure_evidence,
    measure_norms,
)
from samcarry.audit.spoiling import spoil
from samcarry.presence.logistic import Fitted, fit_logistic
from samcarry.storage.probabilities import foreground

_FOLDS = 5
"""A case is judged by weights that were learned from the cases of the other folds."""

_SPOILT = 400
"""How many errors are planted."""

_DIFFICULT = OF_MASK.index("difficult")

_FEWEST = 10
"""Right and wrong ones that a fit needs at least: of a few gaps, all may be errors."""

_RIDGE = 3.0
"""Strength of the penalty on squared weights; the evidence is standardised."""


@dataclass(frozen=True)
class Doubt:
    """Weights of the evidence.

    Attributes:
        norms: what is usual.
        mask: log-odds that a mask is wrong.
        gap: the same for a class without a mask.
        usual_mask: median log-odds of given masks, for which there is no doubt.
        usual_gap: the same for a class without a mask.
    """

    norms: Norms
    mask: Fitted
    gap: Fitted
    usual_mask: float
    usual_gap: float


@dataclass(frozen=True)
class View:
    """One case, and how to judge masks of it.

    Attributes:
        case: given masks and probabilities.
        sight: what the networks alone say.
        doubt: weights learned from other cases.
    """

    case: Judged
    sight: Sight
    doubt: Doubt

    def doubts(self, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How doubtful masks (C, height, width) of this case are (2, C): log-odds beyond the usual, or 0.

        The second row is for corrections of all masks: there, the other masks do not say that the case is
        difficult, because they may all be wrong.
        """
        doubt = self.doubt
        found = measure_evidence(masks, self.case, self.sight, doubt.norms)
        with_others = doubt.mask.score(found.masks)
        found.masks[:, _DIFFICULT] = doubt.mask.centre[_DIFFICULT]
        gap = doubt.gap.score(found.gaps) - doubt.usual_gap
        of_mask = np.stack([with_others, doubt.mask.score(found.masks)]) - doubt.usual_mask
        return np.asarray(np.maximum(np.where(found.there, of_mask, gap), 0))

    @cached_property
    def of_given(self) -> NDArray[np.float64]:
        """How doubtful the given masks are (2, C), see `doubts`."""
        return self.doubts(self.case.given)

    @cached_property
    def redraw_gains(self) -> NDArray[np.float64]:
        """By how much less doubtful the networks' own masks are (2, C): what a correction can explain."""
        return np.asarray(np.maximum(self.of_given - self.doubts(foreground(self.case.seen)), 0))


def view_cases(cases: Sequence[Judged]) -> list[View]:
    """All cases, each with weights that were learned from other cases."""
    norms = measure_norms(cases)
    sights = [look(case, norms) for case in cases]
    right = [
        measure_evidence(case.given, case, sight, norms) for case, sight in zip(cases, sights, strict=True)
    ]
    rng = np.random.default_rng(0)
    donors = [case.given for case in cases]
    wrong: list[tuple[int, Evidence, tuple[int, ...]]] = []
    for number in range(_SPOILT):
        place = number % len(cases)
        spoilt = spoil(donors[place], donors, rng)
        if spoilt is not None:
            masks, concerned = spoilt
            evidence = measure_evidence(masks, cases[place], sights[place], norms)
            wrong.append((place, evidence, concerned))
    folds = min(_FOLDS, len(cases))
    doubts = [
        _learn(
            norms,
            [one for place, one in enumerate(right) if place % folds != fold or folds == 1],
            [(one, classes) for place, one, classes in wrong if place % folds != fold or folds == 1],
        )
        for fold in range(folds)
    ]
    return [
        View(case, sight, doubts[place % folds])
        for place, (case, sight) in enumerate(zip(cases, sights, strict=True))
    ]


def _learn(
    norms: Norms, right: Sequence[Evidence], wrong: Sequence[tuple[Evidence, tuple[int, ...]]]
) -> Doubt:
    fits = []
    for masks, kinds, default in ((True, OF_MASK, "lacks"), (False, OF_GAP, "rare claim")):
        of_right = [(one.masks if masks else one.gaps)[one.there == masks] for one in right]
        of_wrong = [
            (one.masks if masks else one.gaps)[[index for index in classes if one.there[index] == masks]]
            for one, classes in wrong
        ]
        parts = [np.concatenate([np.empty((0, len(kinds))), *of]) for of in (of_right, of_wrong)]
        fits.append(_fit(parts[0], parts[1], kinds.index(default)))
    (mask, usual_mask), (gap, usual_gap) = fits
    return Doubt(norms, mask, gap, usual_mask, usual_gap)


def _fit(right: NDArray[np.float64], wrong: NDArray[np.float64], default: int) -> tuple[Fitted, float]:
    """Weights, and the median log-odds of the right ones; with few examples, the default evidence counts."""
    if min(len(right), len(wrong)) < _FEWEST:
        nothing = np.zeros(right.shape[1])
        return Fitted(nothing, nothing + 1, np.eye(right.shape[1])[default], 0.0), 0.0
    is_wrong = np.repeat([False, True], [len(right), len(wrong)])
    # Both count alike, however many errors were planted.
    importance = np.where(is_wrong, len(right) / len(wrong), 1.0)
    fitted = fit_logistic(np.concatenate([right, wrong]), is_wrong, importance, _RIDGE)
    return fitted, float(np.median(fitted.score(right)))
