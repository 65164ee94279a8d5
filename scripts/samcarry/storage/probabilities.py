"""Foreground of probabilities stored in 8 bits (times 255)."""

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 127
"""A probability of 0.5 in 8 bits; foreground is above it."""


def foreground(probabilities: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True where a probability times 255 is above 0.5; any shape."""
    return probabilities > THRESHOLD
