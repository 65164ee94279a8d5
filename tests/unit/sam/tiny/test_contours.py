"""Contours of drawn objects: closed, finite, at their place and of their size."""

import numpy as np
import pytest

from samcarry.sam.tiny.contours import blob, capsule_widths, polygon, rotated, spindle, tooth

CENTRE = np.array([100.0, 60.0])


def rng(seed):
    return np.random.default_rng(seed)


def test_a_rotation_by_a_right_angle_turns_x_into_y():
    points = np.array([[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(rotated(points, np.pi / 2), [[0, 1], [-2, 0]], atol=1e-12)


def test_a_rotation_keeps_distances():
    points = rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(
        np.linalg.norm(rotated(points, 0.7), axis=1), np.linalg.norm(points, axis=1), atol=1e-12
    )


@pytest.mark.parametrize("draw", [blob, polygon])
def test_a_blob_and_a_polygon_surround_their_centre_and_scale_with_the_radius(draw):
    for seed in range(20):
        small, large = draw(rng(seed), CENTRE, 10.0) - CENTRE, draw(rng(seed), CENTRE, 20.0) - CENTRE
        angles = np.sort(np.arctan2(small[:, 1], small[:, 0]))
        assert np.diff(np.append(angles, angles[0] + 2 * np.pi)).max() < np.pi
        assert 3 < np.linalg.norm(small, axis=1).max() < 40
        np.testing.assert_allclose(large, 2 * small, atol=1e-9)


@pytest.mark.parametrize("draw", [blob, polygon])
def test_the_same_random_numbers_give_the_same_contour(draw):
    np.testing.assert_array_equal(draw(rng(3), CENTRE, 10.0), draw(rng(3), CENTRE, 10.0))
    assert not np.array_equal(draw(rng(3), CENTRE, 10.0), draw(rng(4), CENTRE, 10.0))


def test_a_straight_spindle_has_the_given_length_and_widths():
    contour = spindle(CENTRE, 0.0, 40.0, np.array([1.0, 3.0, 3.0, 1.0]))
    assert len(contour) == 8
    np.testing.assert_allclose(contour[:4, 1] - CENTRE[1], [1, 3, 3, 1], atol=1e-12)
    np.testing.assert_allclose(contour[4:, 1] - CENTRE[1], [-1, -3, -3, -1], atol=1e-12)
    assert contour[0, 0] == pytest.approx(CENTRE[0])
    assert contour[3, 0] == pytest.approx(CENTRE[0] + 30)


def test_the_axis_of_a_spindle_follows_its_angle():
    contour = spindle(CENTRE, np.pi / 2, 40.0, np.ones(8))
    assert np.ptp(contour[:, 0]) == pytest.approx(2)
    assert np.ptp(contour[:, 1]) == pytest.approx(35)


def test_a_capsule_has_round_ends_and_flares_only_if_asked_to():
    for seed in range(10):
        widths = capsule_widths(rng(seed), 5.0, 100.0, 0.0)
        assert widths[0] == widths[-1] == 0
        assert widths.min() >= 0
        assert np.ptp(widths[5:-5]) < 1e-9
        flared = capsule_widths(rng(seed), 5.0, 100.0, 1.0)
        assert flared.max() > 1.2 * flared[20]


def test_a_tooth_starts_at_its_neck_and_is_no_wider_than_asked():
    for seed in range(20):
        contour = tooth(rng(seed), CENTRE, 0.0, 10.0, 40.0)
        assert np.isfinite(contour).all()
        assert contour[0] == pytest.approx(CENTRE)
        assert 20 < np.ptp(contour[:, 0]) <= 45
        assert np.ptp(contour[:, 1]) < 20
