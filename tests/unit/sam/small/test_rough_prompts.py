"""Rough prompts err as a network errs: cut off, leaking, merged, shifted, with holes."""

import numpy as np
import pytest
from scipy import ndimage

from samcarry.sam.small.rough_prompts import (
    ERROR_SHARES,
    ERRORS,
    LEAST_OVERLAP,
    cut_off,
    holes,
    jittered_box,
    leak,
    merge,
    moved,
    nothing_mask,
    point_of,
    rough_mask,
    shift,
    soft_logits,
)

SEEDS = range(12)


def square(row, column, size=20, side=80):
    mask = np.zeros((side, side), dtype=bool)
    mask[row : row + size, column : column + size] = True
    return mask


MASK, NEIGHBOUR, FAR = square(20, 20), square(20, 41), square(60, 60, 10)
OTHERS = np.stack([NEIGHBOUR, FAR])


def rng(seed):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_cut_off_lies_beyond_a_line_and_is_at_most_half(seed):
    found = cut_off(rng(seed), MASK, OTHERS)
    assert not (found & ~MASK).any()
    assert 0.45 * MASK.sum() < found.sum() < 0.95 * MASK.sum()
    assert ndimage.label(MASK & ~found)[1] == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_adds_a_part_of_the_neighbour_that_is_beside_it(seed):
    found = leak(rng(seed), MASK, OTHERS)
    added = found & ~MASK
    assert (found & MASK).sum() == MASK.sum()
    assert not (added & ~NEIGHBOUR).any()
    assert 0.1 * NEIGHBOUR.sum() < added.sum() < 0.7 * NEIGHBOUR.sum()
    assert np.nonzero(added)[1].mean() < np.nonzero(NEIGHBOUR)[1].mean()


def test_merged_are_the_mask_and_all_of_its_neighbour():
    np.testing.assert_array_equal(merge(rng(0), MASK, OTHERS), MASK | NEIGHBOUR)


@pytest.mark.parametrize("error", [leak, merge])
def test_an_object_without_neighbours_neither_leaks_nor_merges(error):
    np.testing.assert_array_equal(error(rng(0), MASK, FAR[None]), MASK)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shift_goes_towards_the_neighbour_and_keeps_the_form(seed):
    found = shift(rng(seed), MASK, OTHERS)
    assert found.sum() == MASK.sum()
    rows, columns = (np.array(ndimage.center_of_mass(found)) - ndimage.center_of_mass(MASK)).round(6)
    assert rows == 0
    assert 1 <= columns <= 7


def test_what_is_moved_out_of_the_frame_is_lost():
    found = moved(MASK, np.array([-30.0, 0.0]))
    assert found.sum() == 10 * 20
    np.testing.assert_array_equal(np.nonzero(found.any(axis=1))[0], np.arange(10))


@pytest.mark.parametrize("seed", SEEDS)
def test_holes_are_taken_out_of_the_mask_only(seed):
    found = holes(rng(seed), MASK, OTHERS)
    assert not (found & ~MASK).any()
    assert found.sum() < MASK.sum()


@pytest.mark.parametrize("seed", range(40))
def test_a_rough_mask_still_shows_what_is_asked_for(seed):
    found = rough_mask(rng(seed), MASK, OTHERS)
    assert (found & MASK).sum() / (found | MASK).sum() >= LEAST_OVERLAP


def test_rough_masks_are_mostly_wrong_and_not_all_in_one_way():
    found = [rough_mask(rng(seed), MASK, OTHERS) for seed in range(40)]
    assert sum((mask != MASK).any() for mask in found) > 30
    assert any((mask & ~MASK).any() for mask in found)
    assert any((MASK & ~mask).any() for mask in found)


def test_the_shares_of_the_errors_add_up_to_one():
    assert len(ERROR_SHARES) == len(ERRORS)
    assert sum(ERROR_SHARES) == pytest.approx(1)


@pytest.mark.parametrize("seed", SEEDS)
def test_soft_logits_are_surest_inside_and_undecided_at_the_outline(seed):
    logits = soft_logits(rng(seed), MASK)
    assert logits[30, 30] > 0 > logits[70, 10]
    assert abs(logits[19:21, 30].mean()) < abs(logits[30, 30])
    assert np.abs(logits).max() <= 20
    assert logits.dtype == np.float32


def test_a_box_without_jitter_is_that_of_the_mask():
    assert jittered_box(rng(0), MASK, 0.0).tolist() == [20, 20, 40, 40]


def test_the_sides_of_a_box_move_by_a_share_of_its_extent_and_stay_in_order():
    generator = rng(0)
    boxes = np.array([jittered_box(generator, square(20, 20, 40), 0.1) for _ in range(800)])
    np.testing.assert_allclose(boxes.std(axis=0), 4, rtol=0.1)
    wild = np.array([jittered_box(generator, MASK, 3.0) for _ in range(100)])
    assert (wild[:, :2] <= wild[:, 2:]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_point_is_in_the_mask(seed):
    x, y = point_of(rng(seed), MASK)
    assert MASK[int(y), int(x)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_prompt_for_nothing_has_an_objects_form_and_lies_on_no_object(seed):
    taken = MASK | OTHERS.any(axis=0)
    found = nothing_mask(rng(seed), MASK, taken)
    assert found.sum() == MASK.sum()
    assert (found & taken).sum() < 0.1 * found.sum()


def test_where_everything_is_taken_nothing_cannot_be_asked_for():
    assert nothing_mask(rng(0), MASK, np.ones_like(MASK)) is None
