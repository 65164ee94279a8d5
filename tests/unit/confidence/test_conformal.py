"""Promises hold as often as promised; what cannot be promised is not."""

import math

import numpy as np
import pytest
from scipy import stats

from samcarry.confidence.conformal import (
    exact_interval,
    of_patients,
    p_value,
    patients_needed,
    promised,
    smallest_shifts,
    why_not,
)

SEED, REPEATS = 20, 4000


@pytest.mark.parametrize("patients", [10, 30, 100])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_promises_hold_as_often_as_promised(patients, coverage):
    """Skewed scores, one to four images a patient: the share is c to c + 1 / (m + 1), up to chance."""
    rng = np.random.default_rng(SEED)
    kept = 0
    for _ in range(REPEATS):
        images = rng.integers(1, 5, patients + 1)
        owners = np.repeat(np.arange(patients + 1), images)
        level = rng.normal(0, 0.7, patients + 1)[owners]
        scores = of_patients(
            (str(owner), score)
            for owner, score in zip(owners, np.exp(level + rng.normal(0, 0.5, len(owners))), strict=True)
        )
        new = scores.pop("0")
        limit = promised(list(scores.values()), coverage)
        assert limit is not None
        kept += new <= limit
    # Exactly ceil((m + 1) c) / (m + 1), as scores have no ties; within the 95 % interval of the simulation.
    exact = math.ceil((patients + 1) * coverage - 1e-9) / (patients + 1)
    low, high = stats.binom.interval(0.95, REPEATS, exact)
    assert low <= kept <= high
    assert coverage <= exact <= coverage + 1 / (patients + 1)


def test_images_as_units_would_break_the_promise():
    """The reason why patients are the unit: the worst of a patient's images exceeds a limit over images."""
    rng = np.random.default_rng(SEED)
    kept = 0
    for _ in range(500):
        scores = rng.normal(0, 1, 30)[:, None] + rng.normal(0, 0.5, (30, 4))
        limit = promised(list(scores[1:].ravel()), 0.9)
        kept += scores[0].max() <= limit
    assert kept / 500 < 0.87


@pytest.mark.parametrize(("coverage", "needed"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_validation_patients_promise_nothing(coverage, needed):
    assert patients_needed(coverage) == needed
    assert promised([1.0] * needed, coverage) == 1.0
    assert promised([1.0] * (needed - 1), coverage) is None
    assert why_not([1.0] * needed, coverage) == ""
    text = f"cannot promise: needs at least {needed} validation patients, there are {needed - 1}"
    assert why_not([1.0] * (needed - 1), coverage) == text


def test_the_limit_is_the_right_score():
    assert promised(list(range(9)), 0.9) == 8
    assert promised(list(range(19)), 0.9) == 17
    assert promised(list(range(100)), 0.9) == 90


def test_a_patient_has_the_largest_score_of_its_images():
    assert of_patients([("a", 1.0), ("a", 3.0), ("b", math.nan), ("c", -1.0)]) == {"a": 3.0, "c": -1.0}


def test_p_values_of_like_patients_are_uniform():
    rng = np.random.default_rng(SEED)
    found = [p_value(scores[0], list(scores[1:])) for scores in rng.normal(size=(3000, 40))]
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(4 / 40, abs=0.02)
    assert p_value(9.0, [1.0, 2.0, 3.0]) == 0.25
    assert p_value(0.0, [1.0, 2.0, 3.0]) == 1


def test_intervals_are_exact():
    assert exact_interval(0, 10) == pytest.approx((0, 0.3085), abs=1e-4)
    assert exact_interval(9, 10) == pytest.approx((0.5550, 0.9975), abs=1e-4)
    assert all(map(math.isnan, exact_interval(0, 0)))


def _brute_force(levels, truth, tolerance):
    allowed = math.floor(tolerance * truth.sum() + 1e-9)
    shifts = np.unique(np.concatenate([[0.0], np.abs(levels).ravel()]))
    outer = next(s for s in shifts if (truth & ~(levels <= s)).sum() <= allowed)
    inner = next(s for s in shifts if (~truth & (levels < -s)).sum() <= allowed)
    return outer, inner


@pytest.mark.parametrize("tolerance", [0.0, 0.05, 0.3])
def test_the_smallest_shifts_are_enough_and_smallest(tolerance):
    rng = np.random.default_rng(SEED)
    for _ in range(20):
        levels, truth = rng.normal(size=(9, 8)), rng.random((9, 8)) < 0.4
        assert smallest_shifts(levels, truth, tolerance) == pytest.approx(
            _brute_force(levels, truth, tolerance)
        )


def test_a_right_mask_needs_no_shift_and_an_absent_class_none():
    truth = np.zeros((6, 6), bool)
    truth[2:4, 2:4] = True
    assert smallest_shifts(np.where(truth, -3.0, 3.0), truth, 0.0) == (0, 0)
    assert all(map(math.isnan, smallest_shifts(np.ones((6, 6)), np.zeros((6, 6), bool), 0.05)))
    whole = np.ones((3, 3), bool)
    assert smallest_shifts(np.full((3, 3), 2.0), whole, 0.0) == (2, 0)
