"""Tolerant prompts: points inside, boxes that grow where P continues outside, a soft mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samcarry.prompting.tolerant_prompts import deepest_point, extract_tolerant_prompts, grow_box, soft_masks


def ring():
    """A ring, whose centre of mass is in its hole."""
    y, x = np.mgrid[:40, :40]
    away = np.hypot(y - 20, x - 20)
    return (away < 15) & (away > 8)


def test_the_point_of_a_concave_class_is_inside_it():
    x, y = deepest_point(ring())
    assert ring()[int(y), int(x)]


def test_the_deepest_point_of_a_square_is_its_middle():
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:14, 3:12] = True
    assert deepest_point(mask) == (7.5, 9.5)


def test_the_image_border_is_an_edge_too():
    mask = np.ones((9, 9), dtype=bool)
    assert deepest_point(mask) == (4.5, 4.5)


@given(arrays(bool, (9, 7)).filter(lambda mask: mask.any()))
def test_the_point_is_always_inside(mask):
    x, y = deepest_point(mask)
    assert mask[int(y), int(x)]


def extended(right):
    """Probability in a box [10, 20) × [10, 20) that continues by `right` columns."""
    probability = np.zeros((40, 40))
    probability[10:20, 10 : 20 + right] = 0.4
    return probability


def test_a_box_grows_as_far_as_probability_continues():
    assert grow_box((10, 10, 20, 20), extended(0)) == (10, 10, 20, 20)
    assert grow_box((10, 10, 20, 20), extended(1)) == (10, 10, 21, 20)


def test_a_box_grows_by_a_fifth_at_most():
    assert grow_box((10, 10, 20, 20), extended(9)) == (10, 10, 22, 20)


def test_each_side_grows_separately():
    up = np.zeros((40, 40))
    up[9:20, 10:20] = 0.4
    assert grow_box((10, 10, 20, 20), up) == (10, 9, 20, 20)
    left = up.T
    assert grow_box((10, 10, 20, 20), left) == (9, 10, 20, 20)


def test_a_box_stays_within_the_image():
    assert grow_box((0, 0, 40, 40), np.ones((40, 40))) == (0, 0, 40, 40)


@pytest.fixture
def case():
    masks = np.zeros((3, 40, 40), dtype=bool)
    masks[0, 5:25, 5:25] = True
    masks[2, 20:36, 20:36] = True
    return masks, np.where(masks, 230, 20).astype(np.uint8)


def test_an_absent_class_has_no_prompt(case):
    first, absent, last = extract_tolerant_prompts(*case)
    assert absent is None
    assert first.negative == (last.positive,)


def test_points_avoid_what_another_class_covers(case):
    masks, probabilities = case
    masks[2, 10:20, 10:20] = True
    first, *_ = extract_tolerant_prompts(masks, probabilities)
    x, y = first.positive
    assert masks[0, int(y), int(x)]
    assert not masks[2, int(y), int(x)]


def test_a_class_entirely_covered_by_another_still_has_a_point(case):
    masks, probabilities = case
    masks[1] = masks[0]
    prompts = extract_tolerant_prompts(masks, probabilities)
    assert None not in prompts


def test_the_soft_mask_is_the_logit_of_p_within_the_box(case):
    masks, probabilities = case
    prompts = extract_tolerant_prompts(masks, probabilities)
    soft = soft_masks(probabilities, prompts)
    assert soft.shape == (2, 40, 40)
    assert soft[0, 10, 10] == pytest.approx(np.log((230 / 255) / (25 / 255)), rel=1e-4)
    assert soft[0, 39, 0] == -10
    assert np.isfinite(soft_masks(np.where(masks, 255, 0).astype(np.uint8), prompts)).all()


@given(st.integers(0, 255))
def test_the_sign_of_the_soft_mask_is_that_of_the_thresholded_one(value):
    masks = np.ones((1, 4, 4), dtype=bool)
    probabilities = np.full((1, 4, 4), value, dtype=np.uint8)
    prompts = extract_tolerant_prompts(masks, probabilities)
    assert ((soft_masks(probabilities, prompts) > 0) == (value > 127)).all()
