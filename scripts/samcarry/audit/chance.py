"""How often chance alone gives a disagreement as strong as one that was found.

Networks fail too, so a disagreement says little unless networks rarely disagree as much with other labels.
The null distribution is measured on the labels themselves: its upper tail is fitted to quantiles that errors
in a few labels hardly move. An exponential tail fits: of the tenth strongest disagreement of a single class,
it expects 8 on drawn radiographs without any error, and 19 on panoramic radiographs with 32 teeth.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DIFFICULTY = 2.5
"""How much of the disagreement of a class is expected in a case in which the other classes disagree by 1.

Measured: with values from 2 to 3, easy and difficult images have the same share of strong disagreements.
"""

_EASIEST = 0.8
"""Share of the other classes, those with the least disagreement, that say how difficult a case is."""


_STRONGEST = 0.1
"""Of the strongest finding, chance has to give fewer than this, or no finding stands out."""


@dataclass(frozen=True)
class Tail:
    """An exponential upper tail.

    Attributes:
        start: the value from which it begins.
        share: probability of a value above `start`, 0..1.
        scale: of the exponential distribution.
    """

    start: float
    share: float
    scale: float

    def chance(self, value: float) -> float:
        """The probability, 0..1, of at least `value`."""
        return float(min(1.0, self.share * np.exp(-(value - self.start) / self.scale)))


def fit_tail(values: NDArray[np.float64], lower: float, upper: float, least: float) -> Tail:
    """A tail that begins at the quantile `lower` and has the right share of values above `upper`.

    Args:
        values: any number of them.
        lower: 0..1.
        upper: more than `lower`; errors in a share of 1 - `upper` of the values hardly move the tail.
        least: lower limit of the scale.
    """
    if not values.size:
        return Tail(0.0, 1.0, least)
    start, end = np.quantile(values, (lower, upper))
    scale = (end - start) / np.log((1 - lower) / (1 - upper))
    return Tail(float(start), 1 - lower, max(float(scale), least))


@dataclass(frozen=True)
class Null:
    """Disagreements of all cases, most of which are no errors.

    Attributes:
        gains: (case, class) as `explanations.redraw_gains`.
        trusted: (case,) whether a case is one of those that the tails are fitted to.
        of_class: tail of a single class, beyond what the difficulty of its case explains.
        of_case: tail of the sum over all classes of a case.
    """

    gains: NDArray[np.float64]
    trusted: NDArray[np.bool_]
    of_class: Tail
    of_case: Tail

    def chance_of_case(self, gain: float) -> float:
        """How many cases chance gives whose classes together disagree by at least `gain`."""
        return len(self.gains) * self.of_case.chance(gain)

    def chance_of_classes(
        self, case: int, classes: Sequence[int], gain: float, wrong: Collection[int] = ()
    ) -> float:
        """How many places chance gives at which one or more classes of a case disagree by at least `gain`.

        Args:
            case: its place among the cases.
            classes: their indices.
            gain: of all of them.
            wrong: classes with an error, which do not say that the case is difficult.
        """
        left = gain - _expected(self.gains[[case]], classes, wrong)[0]
        tail = self.of_class
        if len(classes) > 1:
            others = self.gains[self.trusted & (np.arange(len(self.gains)) != case)]
            beyond = others[:, list(classes)].sum(axis=1) - _expected(others, classes)
            tail = fit_tail(beyond, 0.8, 0.95, self.of_class.scale)
        return float(self.gains.size) * tail.chance(left)


def measure_null(gains: NDArray[np.float64], trusted: NDArray[np.bool_]) -> Null:
    """The null distribution of disagreements (case, class), fitted to the trusted cases (case,)."""
    usual = gains[trusted]
    beyond = [usual[:, index] - _expected(usual, [index]) for index in range(gains.shape[1])]
    of_class = fit_tail(np.concatenate(beyond), 0.8, 0.98, 0.5)
    return Null(gains, trusted, of_class, fit_tail(usual.sum(axis=1), 0.5, 0.8, 1.0))


def _expected(
    gains: NDArray[np.float64], classes: Sequence[int], wrong: Collection[int] = ()
) -> NDArray[np.float64]:
    """What the other classes of each case, without the wrong ones, let expect of these classes (case,)."""
    rest = np.sort(np.delete(gains, [*classes, *wrong], axis=1), axis=1)
    if not rest.shape[1]:
        return np.zeros(len(gains))
    easiest = rest[:, : max(1, int(_EASIEST * rest.shape[1]))]
    return np.asarray(_DIFFICULTY * len(classes) * easiest.mean(axis=1))


def count_standing_out(by_chance: Sequence[float], share: float) -> int:
    """How many findings stand out: as many as possible while chance explains at most `share` of them.

    The procedure of Benjamini and Hochberg. None stands out if chance may well explain the strongest one, so
    that labels without an error have no list.

    Args:
        by_chance: for each finding, the number of findings at least as strong that chance gives, ascending.
        share: of the findings that may be false alarms, 0..1.
    """
    if by_chance and by_chance[0] > _STRONGEST:
        return 0
    kept = [rank for rank, expected in enumerate(by_chance, start=1) if expected <= share * rank]
    return max(kept, default=0)
