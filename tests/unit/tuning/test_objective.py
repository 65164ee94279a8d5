"""The objective of tuning, against closed forms and the masks of the workflow."""

import numpy as np
import pytest

from samcarry.baselines.random_walk import RandomWalkSettings, refine_by_random_walk
from samcarry.errors import InputError
from samcarry.tuning.objective import initial_dice, mean_gain, random_walk_objective, read_cases
from support.tuning_cases import EMPTY, REFERENCE, SIZE, bar, probabilities, write_shards


def test_the_initial_dice_counts_present_classes_and_all_that_f_theta_draws(cases):
    stray = 3 * 10
    expected = (2 * 240 / (300 + 240 + stray), 1.0, 0.0)
    assert cases[0].initial == pytest.approx(expected)
    assert cases[1].initial == (pytest.approx(2 * 180 / (180 + 240)), None, None)
    mean, pairs = initial_dice(cases)
    assert pairs == 4
    assert mean == pytest.approx((sum(expected) + 2 * 180 / 420) / 4)


def test_components_are_the_most_likely_ones(cases):
    assert np.array_equal(cases[0].components, [bar(2, 10), bar(12, 20), EMPTY])
    assert np.array_equal(cases[1].components, [bar(4, 12), EMPTY, bar(15, 25)])


def test_the_gain_of_the_reference_is_what_is_missing_to_1(cases):
    mean, _ = initial_dice(cases)
    assert mean_gain(cases, REFERENCE) == pytest.approx(1 - mean)


def test_a_class_absent_from_the_reference_does_not_count(cases):
    drawn = [case.components.copy() for case in cases]
    before = mean_gain(cases, drawn)
    drawn[1][1] = True
    drawn[1][2] = False
    assert mean_gain(cases, drawn) == before


def test_a_class_that_the_refiner_loses_costs_its_whole_dice(cases):
    masks = [np.zeros_like(case.components) for case in cases]
    assert mean_gain(cases, masks) == pytest.approx(-initial_dice(cases)[0])


def test_only_labelled_cases_are_read(tmp_path):
    cases = read_cases(*write_shards(tmp_path, probabilities(), REFERENCE[1:], ("y",)))
    assert [case.name for case in cases] == ["y"]
    assert cases[0].initial[0] == pytest.approx(2 * 180 / 420)


@pytest.mark.parametrize("empty", [True, False])
def test_tuning_without_a_labelled_case_says_what_to_do(tmp_path, empty):
    paths = write_shards(tmp_path, probabilities(), np.zeros_like(REFERENCE)) if empty else ([], [])
    with pytest.raises(InputError, match=r"tuning\.trials: 0") as caught:
        read_cases(*paths)
    assert "\n" not in str(caught.value)


def test_the_gain_of_the_random_walk_is_that_of_the_workflows_masks(cases):
    rng = np.random.default_rng(0)
    images = [
        (60 + 80 * case.reference.any(axis=0) + rng.normal(0, 5, SIZE)).astype(np.uint8) for case in cases
    ]
    settings = {"background_erosion": 3, "mask_erosion": 2, "sigma": 8.0}
    masks = [
        refine_by_random_walk(image, case.components, RandomWalkSettings(**settings))
        for case, image in zip(cases, images, strict=True)
    ]
    objective = random_walk_objective(cases, images)
    assert objective(settings) == mean_gain(cases, masks)
    assert objective({**settings, "mask_erosion": 0}) != objective(settings)
