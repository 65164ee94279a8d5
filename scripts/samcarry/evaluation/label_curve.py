"""How many more labels? What labelling more cases is expected to gain, with its interval.

The error 1 - Dice of a network falls with the number n of its labelled cases as an inverse power law,
c + a (n + d)^-b (Figueroa et al., BMC Med Inform Decis Mak 12:8, 2012; Viering and Loog, arXiv:2103.10948).
Three or four sizes determine such a curve badly, so no single curve is fitted. It is the mean of a Bayesian
mixed model of the logarithm of the error, with two random effects:

- Which cases are labelled. Every case has an effect of its own, and a subset has the mean of its cases:
  variance t^2 N / n for n cases, where N is the largest size. Subsets of a draw are nested, so they share
  effects, and their covariance is t^2 N / max(n, n'). Where all draws are made from the same N cases,
  subsets of two draws share effects too, with covariance t^2.
- The seed of a training, with variance s^2.

The curve and both spreads have prior distributions (the constants below). Curves drawn from them count by the
likelihood of the scores (importance sampling), and the interval is that of the posterior predictive
distribution of the gain: the next cases of the first draw are labelled, the network is trained again with as
many seeds, and evaluated on the same cases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samcarry.evaluation.formatting import number
from samcarry.evaluation.summary import Patients
from samcarry.methods import in_order, method_of

COLUMNS = (
    *("dataset", "method", "class", "n", "sizes", "repeats", "repeated", "cases", "patients"),
    *("more", "now", "gain", "low", "high"),
)
TEXTS = ("dataset", "method", "class", "repeated")

MORE = (5, 10, 20, 50)
FARTHEST = 4
"""A curve is not followed beyond this many times the largest size."""

FEWEST_SIZES = 3
FEWEST_REPEATS = 2
"""Trainings beyond the first of each size, all sizes together."""

_STOP = 1.0  # points of Dice, if the config names no margin

SEEDS_ONLY = (
    "Trainings differ in their seeds only, so the intervals assume how much depends on which cases are "
    "labelled; the setting `draws` measures it."
)

_CURVES = 4000
"""Drawn from the prior distributions."""

_EXPONENT = (0.5, 0.6)
"""Median of b, and the standard deviation of its logarithm: 0.15 to 1.6. Theory says 0.5 or 1, and 0.07 to
0.35 were measured with much larger data sets (Hestness et al., arXiv:1712.00409)."""

_SHIFTED = 0.5
"""Share of curves with d > 0, 0.1 to 10 times the largest size: they are nearly exponential for large d."""

_DRAW_SPREAD, _SEED_SPREAD = (0.05, 1.0), (0.04, 0.7)
"""Medians of t and s, as shares of the error, and the standard deviations of their logarithms."""

_SMALLEST_ERROR = 0.002

Values = NDArray[np.float64]


def label_gains(
    tables: Sequence[pd.DataFrame],
    draws: Sequence[int],
    methods: Sequence[str],
    patients: Patients = None,
) -> pd.DataFrame:
    """One row per method, class and number of additional labels; the class '' means all classes together.

    Methods with fewer than three sizes, or whose trainings were not repeated, have no row. Columns:

    - dataset, method, class;
    - n: the largest number of labelled cases;
    - sizes: number of sizes n;
    - repeats: trainings at all sizes together; repeated: whether they differ in their 'draws' of labelled
      cases or in their 'seeds' only;
    - cases, patients: evaluated cases and patients;
    - more: number of additional labelled cases;
    - now: Dice in percent at the largest n, of its first draw;
    - gain, low, high: expected gain in points of Dice on the same evaluated cases, and its 95 % interval.

    Args:
        tables: rows of dice.csv, one table for each size n and draw.
        draws: the draw of each table, 1 = the given order.
        methods: ids in the order of the table; full supervision has no row.
        patients: {case: patient}.
    """
    rows = pd.concat(
        [table.assign(draw=draw) for table, draw in zip(tables, draws, strict=True)], ignore_index=True
    )
    rows = rows.dropna(subset=["dice"])
    found = []
    for method in in_order(methods):
        own = rows[rows["method"] == method]
        if method_of(method).needs_hidden_labels or own["n"].nunique() < FEWEST_SIZES:
            continue
        for name in ("", *own["class"].drop_duplicates()):
            of_class = own if name == "" else own[own["class"] == name]
            found += _gains_of(of_class, name, patients)
    return pd.DataFrame(found, columns=COLUMNS)


def least_gain(margin: float | None) -> float:
    """The gain in points of Dice below which more labels are not worth it.

    Args:
        margin: difference in points of Dice up to which two methods count as equal, if the config names one.
    """
    return float(margin or _STOP)


def read_gain(row: Mapping[Any, Any], stop: float) -> str:
    """What a row says: '20 more labels: +2.1 (0.8 to 3.5)', or to stop.

    Args:
        row: a row of `label_gains`.
        stop: see `least_gain`.
    """
    if row["high"] < stop:
        return f"{row['more']} more labels: stop, less than {stop:g} points are expected"
    ends = f"{number(row['low'])} to {number(row['high'])}"
    return f"{row['more']} more labels: {number(row['gain'], '+.1f')} ({ends})"


def explain_gains(row: Mapping[Any, Any]) -> list[str]:
    """How the gains of a method were computed, as sentences.

    Args:
        row: any row of `label_gains` of the method.
    """
    text = (
        f"Its learning curve over {row['sizes']} sizes and {row['repeats']} trainings was followed to more "
        "labels (inverse power laws in a Bayesian mixed model); the intervals are for one new draw of "
        "labelled cases, evaluated on the same cases as now."
    )
    return [text] if row["repeated"] == "draws" else [text, SEEDS_ONLY]


@dataclass(frozen=True)
class _Errors:
    """The logarithms of the errors of one method and class, by subset.

    Attributes:
        sizes: n of each subset.
        draws: its draw.
        seeds: number of its trainings.
        means: mean of the logarithms over seeds.
        squares: their sum of squares around these means, all subsets together.
        freedom: its degrees of freedom.
    """

    sizes: Values
    draws: NDArray[np.intp]
    seeds: Values
    means: Values
    squares: float
    freedom: int


def _gains_of(rows: pd.DataFrame, name: str, patients: Patients) -> list[dict[str, Any]]:
    """The rows of one method and class."""
    scores = rows.groupby(["n", "draw", "seed", "case"])["dice"].mean()
    # A case that a size lacks would look like a change with n.
    table = scores.unstack("case").dropna(axis=1)
    errors = 1 - table.mean(axis=1)
    sizes = sorted(set(table.index.get_level_values("n")))
    if len(sizes) < FEWEST_SIZES or len(table) - len(sizes) < FEWEST_REPEATS or not table.shape[1]:
        return []
    last = int(sizes[-1])
    more = [step for step in MORE if last + step <= FARTHEST * last] or [MORE[0]]
    now = float(errors[last].groupby("draw").mean().iloc[0])
    later, weights = _predict(_by_subset(errors), last + np.asarray(more))
    low, gain, high = 100 * np.quantile(
        now - later, [0.025, 0.5, 0.975], axis=1, weights=weights, method="inverted_cdf"
    )
    by_draw = errors.reset_index().groupby("n")["draw"].nunique().max() > 1
    about = {
        "dataset": rows["dataset"].iloc[0],
        "method": rows["method"].iloc[0],
        "class": name,
        "n": last,
        "sizes": len(sizes),
        "repeats": len(table),
        "repeated": "draws" if by_draw else "seeds",
        "cases": table.shape[1],
        "patients": len({(patients or {}).get(case, case) for case in table.columns}),
        "now": 100 * (1 - now),
    }
    return [
        {**about, "more": step, "gain": middle, "low": least, "high": most}
        for step, middle, least, most in zip(more, gain, low, high, strict=True)
    ]


def _by_subset(errors: pd.Series) -> _Errors:
    """The errors of all trainings, with an index (n, draw, seed)."""
    logarithms = np.log(errors.clip(lower=_SMALLEST_ERROR))
    subsets = logarithms.groupby(["n", "draw"])
    means = subsets.mean()
    return _Errors(
        means.index.get_level_values("n").to_numpy(float),
        means.index.get_level_values("draw").to_numpy(),
        subsets.size().to_numpy(float),
        means.to_numpy(),
        float(((logarithms - subsets.transform("mean")) ** 2).sum()),
        len(logarithms) - len(means),
    )


def _predict(errors: _Errors, later: NDArray[np.intp]) -> tuple[Values, Values]:
    """Errors (size, curve) of the first draw with `later` labelled cases, and the weights (size, curve).

    The likelihood and the predictions are those of generalised least squares (Searle, Casella and McCulloch,
    Variance Components, 1992, chapter 7). Rotated to the eigenvectors of the covariance of draws, trainings
    are independent for each pair of spreads.
    """
    rng = np.random.default_rng(0)
    largest = errors.sizes.max()
    is_last = errors.sizes == largest
    first = errors.draws == errors.draws[is_last].min()
    shared = is_last.sum() == 1  # all draws are made from the cases of the largest size
    exponents = _positive(_EXPONENT, rng)
    reducible = rng.random((_CURVES, 1))  # share of the error at the largest size that labels can remove
    shifts = 10 ** rng.uniform(-1, 1, (_CURVES, 1)) * (rng.random((_CURVES, 1)) < _SHIFTED)
    of_draws, of_seeds = _positive(_DRAW_SPREAD, rng) ** 2, _positive(_SEED_SPREAD, rng) ** 2

    def shape(sizes: NDArray[Any]) -> Values:
        """Logarithm of the error by that at the largest size (curve, n)."""
        ratio = (sizes / largest + shifts) / (1 + shifts)
        return np.log(1 - reducible + reducible * ratio ** (-exponents * (1 + shifts)))

    same = errors.draws[:, None] == errors.draws
    covariance = np.where(same, largest / np.maximum(errors.sizes[:, None], errors.sizes), float(shared))
    root = np.sqrt(errors.seeds)
    values, vectors = np.linalg.eigh(covariance * root[:, None] * root)
    rotate = vectors * root[:, None]
    ones = rotate.sum(axis=0)
    variance = of_draws * np.maximum(values, 0) + of_seeds  # (curve, subset), as all below
    rest = (errors.means - shape(errors.sizes)) @ rotate
    information = (ones**2 / variance).sum(axis=1, keepdims=True)
    level = (ones * rest / variance).sum(axis=1, keepdims=True) / information
    rest = rest - level * ones
    logarithm = -0.5 * (np.log(variance) + rest**2 / variance).sum(axis=1, keepdims=True)
    logarithm -= 0.5 * (np.log(information) + errors.freedom * np.log(of_seeds) + errors.squares / of_seeds)
    weights = np.exp(logarithm - logarithm.max())

    # A later subset has all cases of the first draw, and of the others if these are made from the same cases.
    known = (first | shared) @ rotate * of_draws / variance
    ratio = largest / later
    mean = level + shape(later) + ratio * (known * rest).sum(axis=1, keepdims=True)
    spread = of_draws * ratio + of_seeds / errors.seeds[is_last & first]
    spread = spread - ratio**2 * (known**2 * variance).sum(axis=1, keepdims=True)
    spread = spread + (1 - ratio * (known * ones).sum(axis=1, keepdims=True)) ** 2 / information
    predicted = np.exp(mean + np.sqrt(spread) * rng.standard_normal((_CURVES, 1)))
    return np.minimum(predicted, 1).T, np.broadcast_to(weights, predicted.shape).T


def _positive(prior: tuple[float, float], rng: np.random.Generator) -> Values:
    """Lognormal numbers (curve, 1).

    Args:
        prior: the median, and the standard deviation of the logarithm.
        rng: source of random numbers.
    """
    median, deviation = prior
    return np.asarray(median * np.exp(deviation * rng.standard_normal((_CURVES, 1))))
