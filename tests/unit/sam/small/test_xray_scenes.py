"""X-ray scenes: what bodies absorb adds up, masks overlap where bodies do, and missing ones are not seen."""

import dataclasses

import numpy as np
import pytest

from samcarry.sam.small.bodies import Body, outline, thickness, total_absorption
from samcarry.sam.small.xray_beam import transmitted
from samcarry.sam.small.xray_scenes import (
    LAYOUT_SHARES,
    LAYOUTS,
    LEAST_AREA,
    draw_xray_scene,
    scenery,
)


def box_at(left, top, width, height):
    return np.array(
        [[left, top], [left + width, top], [left + width, top + height], [left, top + height]], float
    )


def plate(left, attenuation=0.5, **others):
    return Body(box_at(left, 10, 20, 20), attenuation, roundness=0.0, texture=0.0, **others)


def absorbed(*bodies, height=50, width=60):
    drawn = [(body, outline(body.contour, height, width)) for body in bodies]
    return total_absorption(np.random.default_rng(0), drawn, height, width)


def test_where_two_bodies_lie_over_each_other_their_thicknesses_add_up():
    first, second = plate(10), plate(20, 0.3)
    total = absorbed(first, second)
    np.testing.assert_allclose(total, absorbed(first) + absorbed(second), rtol=1e-6)
    assert total[20, 15] == pytest.approx(0.5)
    assert total[20, 25] == pytest.approx(0.8)
    assert total[20, 38] == pytest.approx(0.3)
    assert total[40, 25] == 0


def test_the_beam_behind_two_bodies_is_the_product_of_what_each_lets_through():
    first, second = absorbed(plate(10)), absorbed(plate(20, 0.3))
    both = transmitted(first + second)
    np.testing.assert_allclose(both, transmitted(first) * transmitted(second), rtol=1e-5)
    assert both[20, 25] == pytest.approx(np.exp(-0.8))


def test_air_takes_away_from_what_is_absorbed():
    assert absorbed(plate(10), plate(10, -0.2))[20, 15] == pytest.approx(0.3)


def test_a_round_body_is_as_thick_as_a_cylinder():
    inside = np.zeros((41, 200), dtype=bool)
    inside[1:40] = True
    across = thickness(inside)[:, 100]
    assert across[20] == pytest.approx(1)
    assert across[0] == 0
    assert across[10] == pytest.approx(np.sqrt(1 - 0.5**2), abs=0.01)
    assert (np.diff(across[:21]) > 0).all()


def test_a_plate_has_one_thickness_and_a_shell_is_thickest_at_its_wall():
    inside = np.zeros((41, 200), dtype=bool)
    inside[1:40] = True
    np.testing.assert_array_equal(thickness(inside, roundness=0.0), inside)
    shell = thickness(inside, wall=0.2)[:, 100]
    assert shell[1:20].argmax() < 8
    assert shell.max() > 1.2 * shell[20] > 0


def test_a_body_that_reaches_beyond_the_canvas_is_cut_at_its_edge():
    found = outline(box_at(-10, -5, 20, 20), 30, 40)
    mask = found.on_canvas()
    assert mask.sum() == found.visible
    assert mask[0, 0]
    assert not mask[:, 12:].any()
    assert outline(box_at(100, 100, 10, 10), 30, 40).visible == 0


def test_the_same_random_numbers_draw_the_same_scene():
    one, other = (draw_xray_scene(np.random.default_rng(3), 90, 120) for _ in range(2))
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@pytest.fixture(scope="module")
def scenes():
    return [draw_xray_scene(np.random.default_rng(seed), 120, 150) for seed in range(24)]


def test_every_scene_has_an_object_of_some_pixels_and_something_to_see(scenes):
    for scene in scenes:
        assert scene.image.shape == (120, 150)
        assert scene.image.dtype == np.uint8
        assert np.ptp(scene.image) > 20
        assert scene.masks.shape[1:] == scene.missing.shape[1:] == (120, 150)
        assert scene.masks.sum(axis=(1, 2)).min() >= LEAST_AREA


def test_masks_overlap_truly_in_many_scenes(scenes):
    overlapping = [(scene.masks.sum(axis=0) > 1).sum() for scene in scenes]
    assert sum(pixels > 20 for pixels in overlapping) > len(scenes) / 3


def test_some_scenes_lack_an_object_that_can_be_asked_for(scenes):
    assert any(len(scene.missing) for scene in scenes)


@pytest.mark.parametrize("layout", [*LAYOUTS, scenery], ids=lambda layout: layout.__name__)
def test_every_layout_draws_closed_contours_of_finite_points(layout):
    for seed in range(5):
        for body in layout(np.random.default_rng(seed), 80, 112):
            assert body.contour.shape[1] == 2
            assert len(body.contour) >= 3
            assert np.isfinite(body.contour).all()
            assert body.role in ("object", "scenery", "missing")


def test_scenery_is_never_asked_for():
    assert all(
        body.role == "scenery" for seed in range(20) for body in scenery(np.random.default_rng(seed), 80, 80)
    )


def test_the_shares_of_the_layouts_add_up_to_one():
    assert len(LAYOUT_SHARES) == len(LAYOUTS)
    assert sum(LAYOUT_SHARES) == pytest.approx(1)
