"""Dice of masks, against two other libraries and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import DiceMetric
from scipy.spatial import distance

from samcarry.evaluation.dice import dice, mean_dice

MASKS = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


@given(MASKS)
def test_dice_equals_scipys(pair):
    reference, predicted = pair
    assume(reference.any())
    expected = 1 - distance.dice(reference.ravel(), predicted.ravel())
    assert dice(reference, predicted) == pytest.approx(expected)


@given(MASKS)
def test_dice_equals_monais(pair):
    reference, predicted = pair
    assume(reference.any())
    tensors = [torch.tensor(mask)[None, None] for mask in (predicted, reference)]
    assert dice(reference, predicted) == pytest.approx(DiceMetric()(*tensors).item())


@given(MASKS)
def test_dice_follows_from_the_iou(pair):
    reference, predicted = pair
    assume(reference.any())
    iou = (reference & predicted).sum() / (reference | predicted).sum()
    assert dice(reference, predicted) == pytest.approx(2 * iou / (1 + iou))


@given(MASKS)
def test_dice_is_symmetric_if_both_masks_are_present(pair):
    one, other = pair
    assume(one.any() and other.any())
    assert dice(one, other) == dice(other, one)


@given(MASKS)
def test_a_mask_has_dice_1_with_itself(pair):
    assume(pair[0].any())
    assert dice(pair[0], pair[0]) == 1


def test_half_an_overlap():
    mask = np.zeros((4, 4), dtype=bool)
    other = mask.copy()
    mask[:, :2] = True
    other[:, 1:3] = True
    assert dice(mask, other) == 0.5


@pytest.mark.parametrize("predicted", [False, True])
def test_dice_is_undefined_where_the_reference_is_empty(predicted):
    assert dice(np.zeros((3, 3), dtype=bool), np.full((3, 3), predicted)) is None


def test_dice_is_0_where_a_class_is_missed():
    assert dice(np.ones((3, 3), dtype=bool), np.zeros((3, 3), dtype=bool)) == 0


def test_mean_dice_is_over_the_classes_that_the_reference_has():
    references = np.zeros((3, 4, 4), dtype=bool)
    references[0, :2], references[1, :, :2] = True, True
    predicted = np.ones_like(references)
    predicted[1] = references[1]
    assert mean_dice(references, predicted) == pytest.approx((2 / 3 + 1) / 2)


def test_mean_dice_is_undefined_without_any_class():
    assert mean_dice(np.zeros((2, 3, 3), dtype=bool), np.ones((2, 3, 3), dtype=bool)) is None
