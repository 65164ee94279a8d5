"""Drawn scenes: the same for the same random numbers, and without empty masks."""

import numpy as np
import pytest

from samcarry.sam.tiny.scenes import LAYOUT_SHARES, LAYOUTS, SceneObject, _render, draw_scene


def draw(seed, height=80, width=112, most=12):
    return draw_scene(np.random.default_rng(seed), height, width, most)


def test_the_same_random_numbers_draw_the_same_scene():
    for seed in range(8):
        one, other = draw(seed), draw(seed)
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.masks, other.masks)


def test_the_global_random_state_does_not_matter():
    np.random.seed(0)
    one = draw(3)
    np.random.seed(1)
    np.testing.assert_array_equal(one.image, draw(3).image)


def test_other_random_numbers_draw_another_scene():
    assert (draw(0).image != draw(1).image).any()


def test_images_and_masks_have_the_size_asked_for():
    for seed in range(8):
        scene = draw(seed)
        assert (scene.image.shape, scene.image.dtype) == ((80, 112), np.uint8)
        assert (scene.masks.shape[1:], scene.masks.dtype) == ((80, 112), bool)


@pytest.mark.parametrize("most", [1, 3])
def test_there_are_at_most_as_many_objects_as_asked_for(most):
    counts = [len(draw(seed, most=most).masks) for seed in range(25)]
    assert min(counts) >= 1
    assert max(counts) == most


def test_no_mask_is_empty_or_a_few_pixels():
    for seed in range(40):
        assert draw(seed, most=100).masks.sum(axis=(1, 2)).min() >= 30


def rendered(left, top, size, target=True):
    """Density and masks of one bright square on a canvas of 40×40."""
    corners = np.array([[left, top], [left + size, top], [left + size, top + size], [left, top + size]])
    shape = SceneObject(corners.astype(float), density=1.0, target=target)
    return _render(np.random.default_rng(0), [shape], 40, 40)


def test_an_object_is_visible_where_its_mask_is():
    density, (mask,) = rendered(10, 20, 8)
    assert ((density > 0) == mask).all()
    assert mask[24, 14]
    assert mask.sum() == 81


@pytest.mark.parametrize(
    ("left", "top", "size", "target"),
    [(10, 10, 4, True), (34, 34, 19, True), (10, 10, 8, False)],
    ids=["too small", "mostly outside", "no target"],
)
def test_some_objects_are_drawn_without_a_mask(left, top, size, target):
    density, masks = rendered(left, top, size, target)
    assert density.max() > 0
    assert masks == []


def test_scenes_have_contrast():
    for seed in range(20):
        assert np.ptp(draw(seed).image) > 20


def test_objects_overlap_in_some_scenes():
    assert any((draw(seed, most=50).masks.sum(axis=0) > 1).any() for seed in range(20))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_draws_closed_contours_of_finite_points(layout):
    for seed in range(5):
        for shape in layout(np.random.default_rng(seed), 80, 112):
            assert shape.contour.ndim == 2
            assert len(shape.contour) >= 3
            assert np.isfinite(shape.contour).all()


def test_the_shares_of_the_layouts_add_up_to_one():
    assert len(LAYOUT_SHARES) == len(LAYOUTS)
    assert sum(LAYOUT_SHARES) == pytest.approx(1)
