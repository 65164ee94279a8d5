"""The objective of tuning, against closed forms and the masks of the workflow."""

from dataclasses import replace

import numpy as np
import pytest

from samcarry.baselines.random_walk import RandomWalkSettings, refine_by_random_walk
from samcarry.errors import InputError
from samcarry.tuning.objective import (
    gains_of_case,
    in_random_order,
    initial_dice,
    mean_gain,
    random_walk_objective,
    read_cases,
)
from support.tuning_cases import EMPTY, REFERENCE, SIZE, bar, probabilities, write_shards


def gain_of(cases, masks):
    return mean_gain(map(gains_of_case, cases, masks))


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
    assert gain_of(cases, REFERENCE) == pytest.approx(1 - mean)


def test_a_class_absent_from_the_reference_does_not_count(cases):
    drawn = [case.components.copy() for case in cases]
    before = gain_of(cases, drawn)
    drawn[1][1] = True
    drawn[1][2] = False
    assert gain_of(cases, drawn) == before


def test_a_class_that_the_refiner_loses_costs_its_whole_dice(cases):
    masks = [np.zeros_like(case.components) for case in cases]
    assert gain_of(cases, masks) == pytest.approx(-initial_dice(cases)[0])


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
    found = list(objective(settings))
    assert found == list(map(gains_of_case, cases, masks))
    assert list(objective({**settings, "mask_erosion": 0})) != found


def test_the_order_of_the_cases_follows_from_the_seed_and_does_not_change_the_gain(cases):
    many = [replace(cases[0], name=f"{number:02}") for number in range(20)]
    one, same, other = ([case.name for case in in_random_order(many, seed)] for seed in (1, 1, 2))
    assert one == same != other
    assert sorted(one) == [case.name for case in many] != one
    gains = [[0.1, 1e-17], [0.3], [-0.7, 0.2]]
    assert mean_gain(gains) == mean_gain(gains[::-1])
