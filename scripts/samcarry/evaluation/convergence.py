"""Which methods have not converged: their scores say nothing about the method, so they have no rank."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samcarry.storage.frames import read_frame

STILL_FALLING = 0.10
"""A loss still falls if its mean over the last tenth of training is lower by more than this share than its
mean over the tenth before. On the demo it is lower by up to 9 % after trainings that are long enough."""

_FEWEST = 5
"""Rows of training.csv in a tenth of training; with fewer, its mean says too little."""


def still_falling(losses: NDArray[np.float64]) -> float:
    """The share 0..1 by which a loss still falls; 0 if it does not fall, or if this cannot be said.

    The fall has to exceed `STILL_FALLING` and twice its standard error, because the losses of single batches
    differ from each other.

    Args:
        losses: the loss of each epoch, 0 or more.
    """
    tenth = len(losses) // 10
    if tenth < _FEWEST:
        return 0.0
    before, last = losses[-2 * tenth : -tenth], losses[-tenth:]
    fall = before.mean() - last.mean()
    error = np.sqrt((before.var(ddof=1) + last.var(ddof=1)) / tenth)
    if fall <= 2 * error or fall <= STILL_FALLING * before.mean():
        return 0.0
    return float(fall / before.mean())


def not_converged(rows: pd.DataFrame, curves: Mapping[str, Iterable[str | Path]]) -> dict[str, str]:
    """Methods that have not converged with at least one seed, as {method: why, for readers}.

    Args:
        rows: rows of dice.csv for one n.
        curves: {method: training.csv of each seed}; methods without a training of their own are missing.
    """
    found = {}
    for method, own in rows.groupby("method", sort=False):
        drawn = own.groupby("seed")["predicted_px"].sum() > 0
        falls = [still_falling(_losses(path)) for path in curves.get(str(method), ())]
        reasons = []
        if not drawn.all():
            reasons.append(f"it predicts nothing at all{_share(~drawn.to_numpy(), 'seeds')}")
        if any(falls):
            reasons.append(
                f"its loss still falls, by {100 * max(falls):.0f} % over the last tenth of training"
                f"{_share(np.array(falls) > 0, 'trainings')}"
            )
        if reasons:
            found[str(method)] = f"not converged: {'; '.join(reasons)}"
    return found


def _losses(path: str | Path) -> NDArray[np.float64]:
    return read_frame(path)["loss"].to_numpy(dtype=float)


def _share(which: Sequence[bool] | NDArray[np.bool_], what: str) -> str:
    """' (2 of 3 trainings)'; '' if there is only one."""
    return f" ({sum(which)} of {len(which)} {what})" if len(which) > 1 else ""
