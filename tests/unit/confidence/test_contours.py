"""Inner and outer masks are nested around the predicted mask."""

from itertools import pairwise

import numpy as np

from samcarry.confidence.contours import (
    contour_levels,
    count_levels,
    inner_area,
    inner_mask,
    levels_at_network_size,
    outer_area,
    outer_mask,
)
from samcarry.images.masks import mask_at_size


def blob(height=32, width=40):
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - 15, columns - 20) - 8
    return np.rint(255 / (1 + np.exp(distance))).astype(np.uint8)


def test_masks_are_nested():
    values = blob()
    levels = contour_levels(values, 64, 80)
    mask = mask_at_size(values, 64, 80)
    shifts = [0.5, 1, 3, 9]
    for smaller, larger in pairwise(shifts):
        assert (outer_mask(levels, larger) >= outer_mask(levels, smaller)).all()
        assert (inner_mask(levels, larger) <= inner_mask(levels, smaller)).all()
    assert (outer_mask(levels, 1) >= mask).all()
    assert (inner_mask(levels, 0.5) <= mask).all()
    assert outer_mask(levels, 1000).all()
    assert not inner_mask(levels, 1000).any()


def test_a_far_part_is_reached_by_its_distance():
    values = np.zeros((20, 60), np.uint8)
    values[5:15, 5:15] = 255
    levels = contour_levels(values, 20, 60)
    assert levels[10, 30] < levels[10, 45]
    assert np.isfinite(levels).all()


def test_areas_are_those_of_the_masks():
    values = blob()
    levels = levels_at_network_size(values)
    counts = count_levels(levels)
    for shift in (0.0, 0.7, 2.3, 12.0):
        assert outer_mask(levels, shift).sum() <= outer_area(counts, shift)
        assert outer_area(counts, shift) <= outer_mask(levels, shift + 0.25).sum()
        assert inner_mask(levels, shift + 0.25).sum() <= inner_area(counts, shift)
        assert inner_area(counts, shift) <= inner_mask(levels, max(0.0, shift - 0.25)).sum() + 1


def test_an_image_that_is_all_mask_has_levels():
    assert (contour_levels(np.full((8, 8), 255, np.uint8), 16, 16) < 0).all()
