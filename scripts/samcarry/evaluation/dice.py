"""Dice of two masks, in a module of its own: what trains, tunes or draws needs only NumPy for it."""

import numpy as np
from numpy.typing import NDArray


def dice(reference: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float | None:
    """Dice of two masks of one shape, 0..1; None where the reference is empty."""
    size = int(reference.sum())
    if size == 0:
        return None
    return 2 * int((reference & predicted).sum()) / (size + int(predicted.sum()))


def mean_dice(references: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float | None:
    """Mean Dice over the classes of masks (class, height, width) that the reference has; None of none."""
    pairs = (dice(*pair) for pair in zip(references, predicted, strict=True))
    known = [score for score in pairs if score is not None]
    return float(np.mean(known)) if known else None
