"""Label codes: nnU-Net's label images represent the masks exactly, whatever overlaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from samcarry.baselines.nnunet.label_codes import decode_masks, encode_masks, find_combinations, regions
from samcarry.errors import InputError

# Up to 20 classes need three bytes, so that a wrong order of bits or bytes would be noticed.
SHAPES = array_shapes(min_dims=4, max_dims=4, min_side=1, max_side=20).map(
    lambda shape: (min(shape[0], 3), shape[1], *shape[2:])
)


def some(masks):
    """The masks with one pixel set, so that at least one pixel is labelled."""
    masks[0, 0, 0, 0] = True
    return masks


@settings(max_examples=200)
@given(SHAPES.flatmap(lambda shape: arrays(bool, shape, elements=st.booleans())).map(some))
def test_encoded_masks_are_decoded_exactly(masks):
    combinations = find_combinations(masks)
    for mask in masks:
        np.testing.assert_array_equal(decode_masks(encode_masks(mask, combinations), combinations), mask)


@settings(max_examples=100)
@given(SHAPES.flatmap(lambda shape: arrays(bool, shape, elements=st.booleans())).map(some))
def test_a_region_is_its_class(masks):
    """nnU-Net derives the mask of a class only from its region."""
    combinations = find_combinations(masks)
    for mask in masks:
        codes = encode_masks(mask, combinations)
        for number, region in enumerate(regions(combinations)):
            np.testing.assert_array_equal(np.isin(codes, region), mask[number])


@settings(max_examples=100)
@given(SHAPES.flatmap(lambda shape: arrays(bool, shape, elements=st.booleans())).map(some))
def test_codes_are_consecutive_and_each_occurs(masks):
    combinations = find_combinations(masks)
    used = {0} | {code for mask in masks for code in np.unique(encode_masks(mask, combinations)).tolist()}
    assert used == set(range(len(combinations) + 1))
    assert combinations.any(axis=1).all()
    assert len(np.unique(combinations, axis=0)) == len(combinations)


def test_a_case_without_any_label_is_all_background():
    masks = np.zeros((2, 3, 4, 4), bool)
    masks[0, 1] = True
    assert not encode_masks(masks[1], find_combinations(masks)).any()


@pytest.mark.parametrize("classes", [1, 3])
def test_each_class_has_two_codes_or_more_whatever_occurs(classes):
    """With fewer codes nnU-Net would not treat labels as regions, and classes would exclude each other."""
    masks = np.zeros((1, classes, 2, 2), bool)
    masks[0, 0, 0, 0] = True
    assert all(len(region) >= 2 for region in regions(find_combinations(masks)))


def test_no_pixel_has_an_unused_code():
    masks = np.zeros((1, 2, 2, 2), bool)
    masks[0, 0, 0, 0] = True  # class 1 never occurs: its region has only unused codes
    combinations = find_combinations(masks)
    assert not np.isin(encode_masks(masks[0], combinations), regions(combinations)[1]).any()


def every_combination(classes, count):
    """One case whose pixels are the first `count` non-empty sets of classes, in a row."""
    numbers = np.arange(1, count + 1)
    return (numbers[None] >> np.arange(classes)[:, None] & 1).astype(bool)[None, :, None, :]


@pytest.mark.parametrize(("count", "dtype"), [(253, np.uint8), (254, np.uint16), (1023, np.uint16)])
def test_more_than_253_combinations_take_16_bits(count, dtype):
    masks = every_combination(10, count)
    combinations = find_combinations(masks)
    codes = encode_masks(masks[0], combinations)
    assert codes.dtype == dtype
    assert max(map(max, regions(combinations))) <= np.iinfo(dtype).max
    np.testing.assert_array_equal(decode_masks(codes, combinations), masks[0])


def test_too_many_combinations_are_reported():
    with pytest.raises(InputError, match=r"32766 ways.*32765"):
        find_combinations(every_combination(15, 32766))


def test_missing_labels_are_reported_in_one_line():
    with pytest.raises(InputError, match=r"no pixel .* is labelled.*increase n") as caught:
        find_combinations(np.zeros((2, 3, 4, 4), bool))
    assert "\n" not in str(caught.value)


def test_an_unknown_combination_has_no_code():
    masks = np.zeros((1, 2, 1, 2), bool)
    masks[0, 0, 0, 0] = True
    with pytest.raises(KeyError):
        encode_masks(np.ones((2, 1, 1), bool), find_combinations(masks))
