"""Only the part of a mask that is not empty is looked at, with the same outcome."""

import numpy as np
import pytest
from PIL import Image

from samcarry.images.masks import bounding_window
from samcarry.measure.cutting import _covered, cut_out, resampled


def covered(mask, size, box):
    rows, columns = window = bounding_window(mask)
    return _covered(mask[window], (rows.start, columns.start), mask.shape, size, box)


@pytest.mark.parametrize("seed", range(200))
def test_cells_are_covered_as_by_the_filter_of_pillow(seed):
    rng = np.random.default_rng(seed)
    height, width, *size = (int(side) for side in rng.integers(1, 90, 4))
    mask = rng.random((height, width)) < rng.choice([0.02, 0.3, 1])
    mask[0, -1] = True
    if seed % 2:  # edges of cells of a network
        left, right = sorted(rng.choice(12, 2, replace=False) * width / 11)
        top, bottom = sorted(rng.choice(15, 2, replace=False) * height / 14)
    else:
        left, top, right, bottom = 0, 0, width, height
    box = (left, top, right, bottom)
    expected = resampled(mask.astype(np.float32), size, Image.Resampling.BOX, box) > 0
    np.testing.assert_array_equal(covered(mask, tuple(size), box), expected)


def test_what_is_cut_out_reaches_as_far_as_the_probabilities_of_the_mask():
    probability, mask = np.zeros((60, 80), np.uint8), np.zeros((120, 160), bool)
    probability[20:40, 30:50], probability[22:38, 32:48] = 30, 250
    probability[50:, :10] = 200  # another part, which the mask does not have
    mask[44:76, 64:96] = True
    cut = cut_out(probability, mask, 0.05)
    assert (cut.top * 60, cut.bottom * 60, cut.left * 80, cut.right * 80) == (18, 42, 28, 52)
    assert cut.values.shape == cut.mask.shape == (48, 48)
    assert cut.mask[8:-8, 8:-8].all()
    assert cut.mask.sum() == 32 * 32
