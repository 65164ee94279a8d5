"""Sensitivity, specificity and AUROC by class, with intervals against published and other values."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from samcarry.evaluation.detection import COLUMNS, auroc, auroc_interval, detection_table, wilson
from support.dice_tables import table

NAN = float("nan")


@given(st.integers(1, 300), st.data())
def test_wilsons_interval_equals_scipys(count, data):
    successes = data.draw(st.integers(0, count))
    expected = stats.binomtest(successes, count).proportion_ci(method="wilson")
    assert wilson(successes / count, count) == pytest.approx((expected.low, expected.high))


def test_a_share_of_nothing_has_no_interval():
    assert np.isnan([*wilson(0.5, 0), *wilson(NAN, 3)]).all()


def test_a_share_of_0_or_1_is_in_its_interval():
    assert wilson(0.0, 7)[0] == 0.0
    assert wilson(1.0, 7)[1] == 1.0
    assert 0.6 < wilson(1.0, 7)[0] < 0.7


def test_the_interval_of_an_auroc_holds_the_values_from_which_it_is_two_standard_errors_away():
    low, high = auroc_interval(0.9, 12, 20)
    for end in (low, high):
        q1, q2 = end / (2 - end), 2 * end**2 / (1 + end)
        # Hanley and McNeil's variance with half the number of all cases in place of either number.
        mean = 16
        variance = (end * (1 - end) + (mean - 1) * (q1 - end**2 + q2 - end**2)) / (12 * 20)
        assert abs(end - 0.9) == pytest.approx(1.959964 * math.sqrt(variance))
    assert low < 0.9 < high


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_perfect_auroc_has_an_interval_that_is_narrower_with_more_cases(value):
    few, many = auroc_interval(value, 5, 5), auroc_interval(value, 50, 50)
    assert value in few
    assert value in many
    assert 0 <= few[0] <= few[1] <= 1
    assert 0 < many[1] - many[0] < few[1] - few[0]


def test_an_auroc_without_positives_or_negatives_has_no_interval():
    assert np.isnan([*auroc_interval(NAN, 0, 4), *auroc_interval(0.5, 3, 0)]).all()


def test_the_coverage_of_the_aurocs_interval_is_about_right():
    generator = np.random.default_rng(0)
    truth = stats.norm.cdf(1.5 / math.sqrt(2))
    covered = []
    for _ in range(1500):
        values = np.concatenate([generator.normal(1.5, 1, 15), generator.normal(0, 1, 25)])
        found = auroc(values, np.arange(40) < 15)
        low, high = auroc_interval(found, 15, 25)
        covered.append(low <= truth <= high)
    assert 0.93 <= np.mean(covered) <= 0.98


def rows(*entries):
    """Rows from (method, seed, case, whether the class is there, drawn, probability)."""
    found = [
        (method, seed, case, "Ulna", 9 * there, 4 * drawn, 0.5 if there else NAN)
        for method, seed, case, there, drawn, _ in entries
    ]
    return table(*found).assign(probability=[entry[-1] for entry in entries])


ROWS = rows(
    ("unet", 0, "a", True, True, 0.9),
    ("unet", 0, "b", True, False, 0.3),
    ("unet", 0, "c", True, True, 0.8),
    ("unet", 0, "d", False, True, 0.6),
    ("unet", 0, "e", False, False, 0.1),
)


def test_shares_and_the_auroc_are_those_of_the_cases():
    (row,) = detection_table(ROWS, ["unet", "ours_r"]).to_dict("records")
    assert (row["present"], row["absent"], row["seeds"]) == (3, 2, 1)
    assert (row["sensitivity"], row["specificity"]) == (pytest.approx(2 / 3), pytest.approx(1 / 2))
    assert row["auroc"] == pytest.approx(5 / 6)
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx(wilson(2 / 3, 3))
    assert (row["auroc_low"], row["auroc_high"]) == pytest.approx(auroc_interval(5 / 6, 3, 2))


def test_values_are_means_over_seeds_whose_number_does_not_narrow_the_intervals():
    again = ROWS.assign(seed=1, predicted_px=0, probability=0.5)
    (row,) = detection_table(pd.concat([ROWS, again]), ["unet"]).to_dict("records")
    assert (row["sensitivity"], row["specificity"]) == (pytest.approx(1 / 3), pytest.approx(3 / 4))
    assert row["auroc"] == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx(wilson(1 / 3, 3))


def test_images_of_one_patient_count_once_in_the_intervals():
    (row,) = detection_table(ROWS, ["unet"], dict.fromkeys("abcde", "one")).to_dict("records")
    assert row["present"] == 3
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx(wilson(2 / 3, 1))


def test_methods_that_give_masks_only_have_no_auroc():
    (row,) = detection_table(ROWS.assign(probability=NAN), ["unet"]).to_dict("records")
    assert np.isnan([row["auroc"], row["auroc_low"], row["auroc_high"]]).all()
    assert row["sensitivity"] == pytest.approx(2 / 3)


def test_a_class_that_all_cases_have_has_no_specificity_and_no_auroc():
    (row,) = detection_table(ROWS[ROWS["reference_px"] > 0], ["unet"]).to_dict("records")
    assert np.isnan([row["specificity"], row["specificity_low"], row["auroc"], row["auroc_low"]]).all()


def test_without_methods_the_table_has_its_columns():
    assert tuple(detection_table(ROWS, []).columns) == COLUMNS
