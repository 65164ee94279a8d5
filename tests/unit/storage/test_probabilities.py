"""Probabilities in 8 bits: foreground is above a half."""

import numpy as np
import pytest

from samcarry.storage.probabilities import THRESHOLD, foreground


@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 2, 2)])
def test_foreground_is_above_the_threshold_in_any_shape(shape):
    found = foreground(np.array([0, 127, 128, 255], np.uint8).reshape(shape))
    assert found.dtype == bool
    assert found.shape == shape
    assert found.ravel().tolist() == [False, False, True, True]


def test_the_threshold_is_the_largest_value_that_stands_for_at_most_a_half():
    assert THRESHOLD / 255 <= 0.5 < (THRESHOLD + 1) / 255
