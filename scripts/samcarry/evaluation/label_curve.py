"""How many more labels? What labelling more cases is expected to gain, with its interval.

The error 1 - Dice of a network falls with the number n of its labelled cases as an inverse power law,
c + a (n + d)^-b (Figueroa et al., BMC Med Inform Decis Mak 12:8, 2012; Hestness et al., arXiv:1712.00409;
with a large d it is nearly exponential). Three or four sizes determine such a curve badly, so no single curve
is fitted: for each of three values of d, every curve of a grid counts by its likelihood. The interval spans
those of the values of d that the scores do not rule out. It includes three kinds of chance: which patients
were evaluated (they are resampled with all their images), how far trainings of one size differ from each
other, and how little the sizes say about the curve.
"""

from collections.abc import Callable, Mapping, Sequence
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
"""Degrees of freedom of the spread over trainings of one size, all sizes together."""

_STOP = 1.0  # points of Dice, if the config names no margin

SEEDS_ONLY = (
    "Trainings differ in their seeds only, so the intervals leave out how much depends on which cases are "
    "labelled; the setting `draws` includes it."
)

_RESAMPLES = 100
_PREDICTIONS = 40  # of each resample
_SMALLEST_SPREAD = 0.005  # of the error: trainings that happen to agree do not make the curve certain
_REDUCIBLE = np.linspace(0, 1, 21)  # share of the error at the largest size that labels can remove
_SLOPES = np.linspace(0.1, 3, 20)  # of the logarithm of the reducible part, at the largest size
_SHIFTS = (0.0, 1.0, 20.0)  # d by the largest size
_RULED_OUT = 0.1  # of the likelihood of the best d

Values = NDArray[np.float64]


def label_gains(
    tables: Sequence[pd.DataFrame],
    draws: Sequence[int],
    methods: Sequence[str],
    patients: Patients = None,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per method, class and number of additional labels; the class '' means all classes together.

    Methods with fewer than three sizes, or whose trainings were not repeated, have no row. Columns:

    - dataset, method, class;
    - n: the largest number of labelled cases;
    - sizes: number of sizes n;
    - repeats: trainings at all sizes together; repeated: whether they differ in their 'draws' of labelled
      cases or in their 'seeds' only, which leaves out how much depends on the choice of cases;
    - cases, patients: evaluated cases and patients;
    - more: number of additional labelled cases;
    - now: Dice at the largest n in percent;
    - gain, low, high: expected gain in points of Dice, and its 95 % interval for one new draw.

    Args:
        tables: rows of dice.csv, one table for each size n and draw.
        draws: the draw of each table, 1 = the given order.
        methods: ids in the order of the table; full supervision has no row.
        patients: {case: patient}.
        seed: seed of the resamples.
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
            found += _gains_of(of_class, name, patients, seed)
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
        "labels (an inverse power law); the intervals are for one new draw of labelled cases."
    )
    return [text] if row["repeated"] == "draws" else [text, SEEDS_ONLY]


def _gains_of(rows: pd.DataFrame, name: str, patients: Patients, seed: int) -> list[dict[str, Any]]:
    """The rows of one method and class."""
    scores = rows.groupby(["n", "draw", "seed", "case"])["dice"].mean()
    by_draw = bool((scores.reset_index().groupby("n")["draw"].nunique() > 1).any())
    # A case that a size lacks would look like a change with n.
    unit = "draw" if by_draw else "seed"
    table = 1 - scores.groupby(["n", unit, "case"]).mean().unstack("case").dropna(axis=1)
    sizes = table.index.get_level_values("n").unique().sort_values().to_numpy()
    errors = [table.loc[n].to_numpy() for n in sizes]  # (training, case) of each size
    freedom = sum(len(of_size) - 1 for of_size in errors)
    if len(sizes) < FEWEST_SIZES or freedom < FEWEST_REPEATS or not table.shape[1]:
        return []
    owners = table.columns if patients is None else table.columns.map(patients)
    codes, names = pd.factorize(owners)
    last = int(sizes[-1])
    more = [step for step in MORE if last + step <= FARTHEST * last] or [MORE[0]]
    gains = _predict(errors, sizes, codes, more, unit == "draw", freedom, np.random.default_rng(seed))
    about = {
        "dataset": rows["dataset"].iloc[0],
        "method": rows["method"].iloc[0],
        "class": name,
        "n": last,
        "sizes": len(sizes),
        "repeats": len(table),
        "repeated": "draws" if by_draw else "seeds",
        "cases": table.shape[1],
        "patients": len(names),
        "now": 100 * (1 - errors[-1].mean()),
    }
    ends = 100 * np.quantile(gains, [0.025, 0.5, 0.975], axis=-1)  # (end, d, more)
    ends = np.stack([ends[0].min(axis=0), ends[1].mean(axis=0), ends[2].max(axis=0)], axis=1)
    return [
        {**about, "more": step, "gain": middle, "low": low, "high": high}
        for step, (low, middle, high) in zip(more, ends, strict=True)
    ]


def _predict(
    errors: Sequence[Values],
    sizes: NDArray[Any],
    owners: NDArray[np.intp],
    more: Sequence[int],
    of_draws: bool,
    freedom: int,
    rng: np.random.Generator,
) -> Values:
    """Predicted gains (d, more, prediction), 0..1, for each d that is not ruled out.

    Args:
        errors: 1 - Dice (training, case) of each size.
        sizes: number of labelled cases of each size, ascending.
        owners: number of the patient of each case.
        more: numbers of additional cases.
        of_draws: whether trainings differ in their labelled cases; a new draw is then a single one.
        freedom: degrees of freedom of the spread over trainings.
        rng: source of random numbers.
    """
    count = owners.max() + 1
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)[:, owners]
    weights = drawn / drawn.sum(axis=1, keepdims=True)  # (resample, case)
    means = np.stack([weights @ of_size.mean(axis=0) for of_size in errors], axis=1)  # (resample, size)
    repeats = np.array([len(of_size) for of_size in errors])
    squares = sum(((of_size.mean(axis=1) / max(of_size.mean(), 1e-9) - 1) ** 2).sum() for of_size in errors)
    # The spread over trainings is proportional to the error, and known only as well as there are trainings.
    spread = np.sqrt(squares / rng.chisquare(freedom, size=_RESAMPLES))
    spread = np.maximum(spread, _SMALLEST_SPREAD)
    scale = np.maximum(spread[:, None] * means / np.sqrt(repeats), 1e-6)  # (resample, size)
    predictions, evidence = [], []
    for shift in _SHIFTS:
        likelihood, predict = _family(shift, means, scale, sizes)
        noise = rng.standard_normal((_RESAMPLES, _PREDICTIONS)) * spread[:, None]
        noise = noise / np.sqrt(1 if of_draws else repeats[-1])
        later = predict(sizes[-1] + np.asarray(more), rng) * (1 + noise[..., None])
        gained = means[:, -1, None, None] - np.clip(later, 0, 1)
        predictions.append(gained.reshape(-1, len(more)).T)
        evidence.append(np.median(likelihood))
    known = np.array(evidence) >= max(evidence) + np.log(_RULED_OUT)
    return np.stack(predictions)[known]


def _family(
    shift: float, means: Values, scale: Values, sizes: NDArray[Any]
) -> tuple[Values, Callable[[NDArray[Any], np.random.Generator], Values]]:
    """The curves with one d: the logarithm of their likelihood (resample), and a function that predicts.

    Args:
        shift: d by the largest size.
        means: mean errors (resample, size).
        scale: their standard errors (resample, size).
        sizes: numbers of labelled cases.
    """
    reducible, slopes = (grid.ravel()[:, None] for grid in np.meshgrid(_REDUCIBLE, _SLOPES))

    def shape(n: NDArray[Any]) -> Values:
        """Error at n by the error at the largest size (curve, n)."""
        ratio = (n[None] / sizes[-1] + shift) / (1 + shift)
        return 1 - reducible + reducible * ratio ** (-slopes * (1 + shift))

    curves = shape(sizes)
    precision = 1 / scale**2
    squared = precision @ (curves**2).T  # (resample, curve)
    levels = (precision * means) @ curves.T / squared  # the error at the largest size that fits best
    misfit = (precision * means**2).sum(axis=1, keepdims=True) - levels**2 * squared
    logarithm = -0.5 * (misfit + np.log(squared))
    best = logarithm.max(axis=1, keepdims=True)
    edges = np.cumsum(np.exp(logarithm - best), axis=1)

    def predict(n: NDArray[Any], rng: np.random.Generator) -> Values:
        """Errors (resample, prediction, n) of curves drawn by their likelihood."""
        points = rng.random((len(means), _PREDICTIONS)) * edges[:, -1:]
        chosen = np.stack([np.searchsorted(*of_one) for of_one in zip(edges, points, strict=True)])
        level = np.take_along_axis(levels, chosen, axis=1)
        error = 1 / np.sqrt(np.take_along_axis(squared, chosen, axis=1))
        level = level + error * rng.standard_normal(level.shape)
        return level[..., None] * shape(n)[chosen]

    return best[:, 0] + np.log(edges[:, -1]), predict
