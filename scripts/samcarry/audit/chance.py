"""How often chance alone gives a disagreement as strong as one that was found.

Networks fail too, so a disagreement says little unless networks rarely disagree as much with other labels.
The null distribution is measured on the labels themselves: its upper tail is fitted to quantiles that errors
in a few labels hardly move. An exponential tail fits: of the tenth strongest disagreement of a single class,
it expects 8 on drawn radiographs without any error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_GROUPS = 20
"""Random groups of classes for each case."""

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
        gains: (case, class) what corrections of single classes can explain, see `doubt.View.redraw_gains`.
        of_whole: (case,) what corrections of all classes together can explain.
        trusted: (case,) whether a case is one of those that the tails are fitted to.
        of_class: tail of a single class.
        of_case: tail of the sum over all classes of a case.
    """

    gains: NDArray[np.float64]
    of_whole: NDArray[np.float64]
    trusted: NDArray[np.bool_]
    of_class: Tail
    of_case: Tail

    def chance_of_case(self, gain: float) -> float:
        """How many cases chance gives whose classes together disagree by at least `gain`."""
        return len(self.gains) * self.of_case.chance(gain)

    def chance_of_class(self, gain: float) -> float:
        """How many single classes chance gives that disagree by at least `gain`."""
        return self.gains.size * self.of_class.chance(gain)

    def chance_of_classes(self, count: int, gain: float) -> float:
        """How many groups of `count` classes chance gives that together disagree by at least `gain`.

        Its tail is that of random groups of a case: in a difficult case, all classes disagree.
        """
        usual = self.gains[self.trusted]
        rng = np.random.default_rng(count)
        groups = rng.random((len(usual), _GROUPS, usual.shape[1])).argsort(axis=2)[:, :, :count]
        sums = np.take_along_axis(usual[:, None], groups, axis=2).sum(axis=2)
        return self.gains.size * fit_tail(sums.ravel(), 0.8, 0.98, self.of_class.scale).chance(gain)


def measure_null(
    gains: NDArray[np.float64], of_whole: NDArray[np.float64], trusted: NDArray[np.bool_]
) -> Null:
    """The null distribution of gains (case, class) and of whole cases (case,), fitted to the trusted ones."""
    of_class = fit_tail(gains[trusted].ravel(), 0.8, 0.98, 0.5)
    return Null(gains, of_whole, trusted, of_class, fit_tail(of_whole[trusted], 0.5, 0.8, 1.0))


def count_standing_out(by_chance: Sequence[float], share: float) -> int:
    """How many images stand out: as many as possible while chance explains at most `share` of them.

    The procedure of Benjamini and Hochberg. None stands out if chance may well explain the strongest one, so
    that labels without an error have no list.

    Args:
        by_chance: for the strongest finding of each image, the number of findings at least as strong that
            chance gives, ascending.
        share: of the images that may be false alarms, 0..1.
    """
    if by_chance and by_chance[0] > _STRONGEST:
        return 0
    kept = [rank for rank, expected in enumerate(by_chance, start=1) if expected <= share * rank]
    return max(kept, default=0)
