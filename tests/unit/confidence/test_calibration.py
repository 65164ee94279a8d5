"""Temperatures change probabilities and never masks; calibration error and Brier score are as defined."""

import numpy as np
import pytest

from samcarry.confidence.calibration import (
    HOTTEST,
    STORED,
    calibrated,
    calibrated_values,
    count_near_object,
    fit_temperature,
    reliability,
    window_of,
)
from samcarry.storage.probabilities import foreground

ALL = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("temperature", [1 / HOTTEST, 0.3, 1.0, 1.7, HOTTEST])
def test_no_temperature_changes_a_mask(temperature):
    values = calibrated_values(temperature)
    np.testing.assert_array_equal(foreground(values), foreground(ALL))
    np.testing.assert_array_equal(calibrated(temperature) > 0.5, foreground(ALL))
    assert (np.diff(calibrated(temperature)) >= 0).all()
    assert (np.diff(values.astype(int)) >= 0).all()


def test_a_temperature_of_one_keeps_the_stored_values():
    np.testing.assert_array_equal(calibrated_values(1.0), ALL)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_that_made_the_truth_is_found(true):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, 200_000)
    truth = rng.random(len(values)) < calibrated(true)[values]
    counts = np.bincount(2 * values + truth, minlength=512).reshape(256, 2)
    assert fit_temperature(counts) == pytest.approx(true, rel=0.03)
    assert reliability(counts, calibrated(true)).error < 0.005
    if true != 1:
        assert reliability(counts, STORED).error > 0.03
        assert reliability(counts, STORED).brier > reliability(counts, calibrated(true)).brier


def test_without_both_outcomes_the_temperature_is_one():
    counts = np.zeros((256, 2), np.int64)
    assert fit_temperature(counts) == 1
    counts[200, 1] = 50
    assert fit_temperature(counts) == 1


def test_a_perfect_network_has_a_finite_temperature():
    counts = np.zeros((256, 2), np.int64)
    counts[255, 1] = counts[0, 0] = 1000
    assert 1 / HOTTEST <= fit_temperature(counts) < 1


def test_error_and_brier_are_as_defined():
    counts = np.zeros((256, 2), np.int64)
    counts[51] = 3, 1  # a probability of 0.2: one of four is true
    counts[204] = 1, 1  # 0.8: one of two
    found = reliability(counts, STORED)
    assert found.error == pytest.approx((4 * 0.05 + 2 * 0.3) / 6)
    assert found.brier == pytest.approx((0.64 + 3 * 0.04 + 0.04 + 0.64) / 6)
    assert (found + found).error == pytest.approx(found.error)
    assert np.isnan(reliability(np.zeros((256, 2), np.int64), STORED).error)
    assert np.isnan(reliability(np.zeros((256, 2), np.int64), STORED).brier)


def test_pixels_near_the_object_count():
    truth, values = np.zeros((100, 100), bool), np.zeros((100, 100), np.uint8)
    truth[40:60, 40:50] = True
    assert window_of(truth) == (slice(35, 65), slice(35, 55))
    counts = count_near_object(values, truth)
    assert counts.sum() == 30 * 20
    assert counts[0, 1] == 200
    values[0, 0] = 255  # predicted far away: the window reaches there
    assert count_near_object(values, truth).sum() == 75 * 65
    assert count_near_object(np.zeros_like(values), np.zeros_like(truth)).sum() == 0
