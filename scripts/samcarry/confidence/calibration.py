"""Temperature, reliability, calibration error and Brier score, from counts of pixels by stored probability.

Probabilities are stored in 8 bits, so 256 × 2 counts (stored value, in the object or not) hold all that these
measures need.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samcarry.storage.probabilities import foreground

Counts = NDArray[np.int64]
"""Pixels by stored value 0..255 and by truth (0 = outside the object, 1 = in it), (256, 2)."""

Levels = NDArray[np.float64]
"""A probability 0..1 for each stored value, (256,)."""

BINS = 10
HOTTEST = 20.0
"""Temperatures are between 1 / HOTTEST and HOTTEST; with few pixels, the best one may be infinite."""

_MARGIN = 0.25
_LEAST_MARGIN = 4
# The stored value 0 stands for probabilities below half a step; their middle has finite log-odds.
_EDGE = 0.25
_VALUES = np.clip(np.arange(256, dtype=np.float64), _EDGE, 255 - _EDGE) / 255
LOG_ODDS: NDArray[np.float64] = np.log(_VALUES / (1 - _VALUES))
"""The log-odds of each stored value, (256,)."""

STORED: Levels = np.arange(256, dtype=np.float64) / 255
"""The probabilities themselves, without a temperature."""


def calibrated(temperature: float) -> Levels:
    """The probability that each stored value stands for: the sigmoid of its log-odds over the temperature.

    It grows with the stored value, and is above 0.5 exactly where the stored value is. Masks therefore do not
    depend on the temperature.
    """
    return 1 / (1 + np.exp(-LOG_ODDS / temperature))


def calibrated_values(temperature: float) -> NDArray[np.uint8]:
    """As `calibrated`, in 8 bits: a table from stored values to calibrated ones, (256,)."""
    return np.rint(calibrated(temperature) * 255).astype(np.uint8)


def window_of(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The pixels near an object: its bounding box, wider on each side by a quarter of its longer side.

    It is wider by at least 4 pixels, and ends at the edge of the image. Without an object, it is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    ends = [(int(places[0]), int(places[-1]) + 1) for places in (rows, columns)]
    margin = max(_LEAST_MARGIN, round(_MARGIN * max(last - first for first, last in ends)))
    (top, bottom), (left, right) = ((max(0, first - margin), last + margin) for first, last in ends)
    return slice(top, bottom), slice(left, right)


def count_near_object(values: NDArray[np.uint8], truth: NDArray[np.bool_]) -> Counts:
    """Pixels by stored value and truth near the true and the predicted object of one class.

    Far from both, all pixels are background with a probability of 0, and would make any network look
    calibrated.

    Args:
        values: probabilities times 255 (height, width).
        truth: the reference mask (height, width).
    """
    window = window_of(truth | foreground(values))
    index = 2 * values[window].astype(np.int64) + truth[window]
    return np.bincount(index.ravel(), minlength=512).reshape(256, 2)


def fit_temperature(counts: Counts) -> float:
    """The temperature with the greatest likelihood (Guo et al., ICML 2017); 1 if the counts do not say.

    The paper's softmax has one temperature for all classes. Here, classes may overlap and each has its own
    sigmoid, and therefore its own temperature.
    """
    outside, inside = counts.sum(axis=0)
    if not outside or not inside:
        return 1.0
    from scipy import optimize  # here, because a prediction fits nothing

    def loss(log_temperature: float) -> float:
        scaled = LOG_ODDS / np.exp(log_temperature)
        return float(
            counts[:, 1] @ np.logaddexp(0, -scaled) + counts[:, 0] @ np.logaddexp(0, scaled)
        ) / float(outside + inside)

    widest = float(np.log(HOTTEST))
    found = optimize.minimize_scalar(loss, bounds=(-widest, widest), method="bounded")
    return float(f"{np.exp(found.x):.6g}")


@dataclass(frozen=True)
class Reliability:
    """How often what was predicted with some probability is true, by bins of equal width.

    Attributes:
        count: number of predictions in each bin (bin,).
        predicted: the sum of their probabilities.
        true: how many of them are true.
        squares: the sum of squared differences between probability and truth, of all bins.
    """

    count: NDArray[np.float64]
    predicted: NDArray[np.float64]
    true: NDArray[np.float64]
    squares: float

    def __add__(self, other: "Reliability") -> "Reliability":
        """Both together; their probabilities may have other temperatures."""
        return Reliability(
            self.count + other.count,
            self.predicted + other.predicted,
            self.true + other.true,
            self.squares + other.squares,
        )

    @property
    def error(self) -> float:
        """The expected calibration error (ECE), 0..1; NaN without predictions.

        It is the mean over bins of |mean probability − share that is true|, weighted by their numbers of
        predictions (Naeini et al., AAAI 2015; Guo et al., ICML 2017). A prediction is the probability of "in
        the object", not that of the likelier outcome.
        """
        total = self.count.sum()
        return float(np.abs(self.predicted - self.true).sum() / total) if total else float("nan")

    @property
    def brier(self) -> float:
        """The mean squared difference between probability and truth, 0..1 (Brier 1950); NaN without any."""
        total = self.count.sum()
        return float(self.squares / total) if total else float("nan")


NOTHING = Reliability(np.zeros(BINS), np.zeros(BINS), np.zeros(BINS), 0.0)


def reliability(counts: Counts, levels: Levels) -> Reliability:
    """Ten bins of equal width over the probabilities `levels` that the stored values stand for."""
    bins = np.minimum((levels * BINS).astype(int), BINS - 1)
    of_value = counts.sum(axis=1).astype(float)
    count, predicted, true = (
        np.bincount(bins, weights, minlength=BINS).astype(float)
        for weights in (of_value, of_value * levels, counts[:, 1].astype(float))
    )
    squares = float(counts[:, 1] @ (1 - levels) ** 2 + counts[:, 0] @ levels**2)
    return Reliability(count, predicted, true, squares)
