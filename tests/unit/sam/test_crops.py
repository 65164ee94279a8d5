"""Crops: windows lie inside the image, and points and masks are where they were, to a fraction of a pixel."""

import numpy as np
import pytest

from samcarry.sam.crops import (
    Window,
    cut_masks,
    input_size,
    resized,
    whole,
    window_around,
)


def test_a_window_in_the_middle_is_a_square_of_so_many_boxes_around_the_box():
    window = window_around((40, 50, 60, 60), 3.0, (200, 200))
    assert window == Window(20, 25, 80, 85)
    assert window.size == (60, 60)


@pytest.mark.parametrize("box", [(0, 0, 10, 10), (90, 70, 100, 80), (-5, 40, 5, 50)])
def test_a_window_at_the_edge_is_moved_into_the_image(box):
    window = window_around(box, 3.0, (80, 100))
    assert window.size == (30, 30)
    assert 0 <= window.left < window.right <= 100
    assert 0 <= window.top < window.bottom <= 80


@pytest.mark.parametrize("shift", range(4))
def test_a_window_moves_with_its_box(shift):
    """The middle of this box is half a pixel from that of any window with an even side."""
    start = window_around((50, 60, 71, 75), 2.0, (200, 200))
    moved = window_around((50 + shift, 60 + shift, 71 + shift, 75 + shift), 2.0, (200, 200))
    assert (moved.left - start.left, moved.top - start.top) == (shift, shift)
    assert moved.size == start.size == (42, 42)


def test_where_the_image_is_smaller_the_window_covers_all_of_it():
    assert window_around((10, 10, 60, 30), 3.0, (40, 400)) == Window(0, 0, 150, 40)
    assert window_around((0, 0, 30, 30), 6.0, (40, 50)) == whole((40, 50))


def test_the_longer_side_of_a_window_fills_the_input():
    assert input_size(Window(0, 0, 100, 50), 288) == (144, 288)
    assert input_size(Window(5, 5, 15, 25), 288) == (288, 144)


def test_a_mask_of_a_crop_is_centred_at_the_same_share_of_the_window():
    mask = np.zeros((90, 120), dtype=bool)
    mask[30:50, 60:75] = True
    window = window_around((60, 30, 75, 50), 3.0, mask.shape)
    share = cut_masks(mask[None], window, input_size(window, 288), 288, 3)[0].numpy()
    y, x = np.mgrid[:96, :96] + 0.5
    centre = np.array([(x * share).sum(), (y * share).sum()]) / share.sum() * 3
    scale = 288 / window.size[0]
    expected = (np.array([67.5, 40.0]) - [window.left, window.top]) * scale
    np.testing.assert_allclose(centre, expected, atol=0.1)
    assert share.sum() * 9 == pytest.approx(mask.sum() * scale**2, rel=0.02)


def test_beyond_the_window_no_cell_is_covered():
    window = Window(0, 0, 60, 30)
    share = cut_masks(np.ones((1, 30, 60), bool), window, (144, 288), 288, 3)[0]
    assert (share[:48] == 1).all()
    assert (share[48:] == 0).all()


def test_cutting_out_all_of_an_image_at_its_size_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
    window = whole((30, 40))
    np.testing.assert_array_equal(resized(image[window.view], (30, 40)), image)


def test_an_answer_is_pasted_back_where_it_was_cut_out():
    image = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
    window = window_around((10, 10, 16, 14), 2.0, (30, 40))
    pasted = np.zeros_like(image)
    pasted[window.view] = image[window.view]
    assert (pasted == image)[window.view].all()
    assert (pasted > 0).sum() <= window.size[0] * window.size[1]
