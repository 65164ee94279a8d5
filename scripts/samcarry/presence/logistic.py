"""A logistic regression with a ridge, on standardised columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fitted:
    """Log-odds as a linear function of D columns.

    Attributes:
        centre: mean of each column in the fit (D,).
        scale: its standard deviation (D,), above 0.
        weight: log-odds for each standard deviation (D,).
        intercept: log-odds of mean columns.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    weight: NDArray[np.float64]
    intercept: float

    def score(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds (N,) of columns (N, D)."""
        return np.asarray((columns - self.centre) / self.scale @ self.weight + self.intercept)


def fit_logistic(
    columns: NDArray[np.float64],
    positive: NDArray[np.bool_],
    importance: NDArray[np.float64],
    ridge: float,
) -> Fitted:
    """Fit the log-odds that a row is positive.

    Args:
        columns: (N, D).
        positive: (N,).
        importance: weight of each row in the fit (N,).
        ridge: strength of the penalty on squared weights.
    """
    from scipy import optimize  # here, because a judgement fits nothing

    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    inputs = np.column_stack([(columns - centre) / scale, np.ones(len(columns))])
    sign = np.where(positive, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (inputs @ weights)
        penalised = np.append(weights[:-1], 0)
        value = (importance * np.logaddexp(0, -margin)).sum() + ridge / 2 * (penalised**2).sum()
        slope = -importance * sign * np.exp(-np.logaddexp(0, margin))
        return float(value), inputs.T @ slope + ridge * penalised

    found = optimize.minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B", tol=1e-10).x
    return Fitted(centre, scale, found[:-1], float(found[-1]))
