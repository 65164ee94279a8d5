"""The Dice coefficient of masks; it needs only NumPy, so that training and tuning can import it cheaply."""

import numpy as np
from numpy.typing import NDArray


def dice(reference: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float | None:
    """Dice of two masks of the same shape, 0..1; None if the reference is empty."""
    size = int(reference.sum())
    if size == 0:
        return None
    return 2 * int((reference & predicted).sum()) / (size + int(predicted.sum()))


def dice_between(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float | None:
    """Dice of two masks neither of which is the reference, 0..1; None if both are empty."""
    return dice(one, other) if one.any() else dice(other, one)


def mean_dice(references: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float | None:
    """Mean Dice over the classes present in the reference, 0..1; None if no class is present.

    Args:
        references: true masks (class, height, width).
        predicted: predicted masks of the same shape.
    """
    pairs = (dice(*pair) for pair in zip(references, predicted, strict=True))
    known = [score for score in pairs if score is not None]
    return float(np.mean(known)) if known else None
