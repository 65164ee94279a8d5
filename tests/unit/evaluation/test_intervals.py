"""Intervals of means: which method is used, and values against textbook formulas and SciPy's bootstrap."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from samcarry.evaluation.intervals import (
    BCA,
    NONE,
    STUDENT,
    Interval,
    by_patient,
    explain_intervals,
    interval_of,
    interval_of_ratio,
    intervals,
    method_for,
)

RANDOM = np.random.default_rng(0)


def scores(count):
    """Scores 0..1 of so many cases."""
    return pd.Series(np.random.default_rng(count).beta(8, 2, count), [f"case {k}" for k in range(count)])


@pytest.mark.parametrize(
    ("patients", "expected"),
    [(0, NONE), (5, NONE), (6, STUDENT), (19, STUDENT), (20, BCA), (500, BCA)],
)
def test_the_method_follows_from_the_number_of_patients(patients, expected):
    assert method_for(patients) == expected
    found = interval_of(scores(patients), None, "share")
    assert (found.method, found.patients) == (expected, patients)
    assert math.isnan(found.low) == math.isnan(found.high) == (expected == NONE)


def test_a_difference_with_one_image_per_patient_has_students_interval():
    values = scores(9) - 0.8
    expected = stats.t.interval(0.95, 8, values.mean(), values.sem())
    found = interval_of(values, None, "difference")
    assert (found.low, found.high) == pytest.approx(expected)


def test_the_interval_of_a_share_is_symmetric_on_the_logit_scale_and_stays_within_0_and_1():
    values = pd.Series([0.99, 0.98, 0.97, 0.99, 0.7, 0.96], list("abcdef"))
    found = interval_of(values, None, "share")
    logits = np.log(np.array([found.low, values.mean(), found.high]))
    logits -= np.log1p(-np.array([found.low, values.mean(), found.high]))
    assert 0 < found.low < values.mean() < found.high < 1
    assert logits[1] - logits[0] == pytest.approx(logits[2] - logits[1])
    mean = values.mean()
    assert logits[2] - logits[1] == pytest.approx(stats.t.ppf(0.975, 5) * values.sem() / (mean * (1 - mean)))


def test_the_interval_of_a_length_is_symmetric_on_the_log_scale_and_above_0():
    values = pd.Series([1.0, 2, 1, 3, 90, 2], list("abcdef"))
    found = interval_of(values, None, "length")
    assert found.low > 0
    assert values.mean() / found.low == pytest.approx(found.high / values.mean())


def test_the_bootstrap_is_scipys_bca_at_a_higher_level():
    values = scores(30)
    level = 2 * stats.norm.cdf(math.sqrt(30 / 29) * stats.t.ppf(0.975, 29)) - 1
    expected = stats.bootstrap(
        (values.to_numpy(),),
        np.mean,
        confidence_level=level,
        n_resamples=10_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    found = interval_of(values, None, "share")
    assert (found.low, found.high) == pytest.approx(expected, abs=0.002)
    width = 2 * stats.t.ppf(0.975, 29) * values.sem()
    assert found.high - found.low == pytest.approx(width, rel=0.1)


def test_the_bootstrap_of_skewed_scores_is_bca_not_percentile():
    values = scores(24)
    values.iloc[:3] = 0.05, 0.2, 0.3  # three failures
    level = 2 * stats.norm.cdf(math.sqrt(24 / 23) * stats.t.ppf(0.975, 23)) - 1
    expected = {
        method: stats.bootstrap(
            (values.to_numpy(),),
            np.mean,
            confidence_level=level,
            n_resamples=10_000,
            method=method,
            rng=np.random.default_rng(1),
        ).confidence_interval
        for method in ("BCa", "percentile")
    }
    found = interval_of(values, None, "share")
    assert (found.low, found.high) == pytest.approx(expected["BCa"], abs=0.006)
    assert expected["percentile"].low - found.low > 0.012


def test_the_bootstrap_follows_the_skew():
    found = interval_of(scores(30) ** 4, None, "share")
    mean = (scores(30) ** 4).mean()
    skew = stats.skew(scores(30) ** 4)
    assert (mean - found.low > found.high - mean) == (skew < 0)


@pytest.mark.parametrize("patients", [8, 25])
@pytest.mark.parametrize("scale", ["share", "length", "difference"])
def test_copies_of_an_image_do_not_change_the_interval(patients, scale):
    values = scores(patients)
    copies = pd.Series(np.tile(values.to_numpy(), 4), [f"{k}" for k in range(4 * patients)])
    owner = {f"{k}": str(k % patients) for k in range(4 * patients)}
    one, four = interval_of(values, None, scale), interval_of(copies, owner, scale)
    assert four.patients == patients
    if patients < 20:
        assert (four.low, four.high) == pytest.approx((one.low, one.high))
    assert four.high - four.low == pytest.approx(one.high - one.low, rel=0.05)


def test_images_are_counted_by_patient_and_unknown_values_not_at_all():
    values = pd.Series({"a1": 0.2, "a2": 0.4, "b": 0.9, "c": np.nan})
    table = by_patient(values, {"a1": "a", "a2": "a", "b": "b", "c": "c"})
    assert table.to_dict("index") == {
        "a": {"sum": pytest.approx(0.6), "count": 2},
        "b": {"sum": 0.9, "count": 1},
    }
    assert by_patient(values, None)["count"].to_dict() == {"a1": 1, "a2": 1, "b": 1}


def test_a_patient_with_many_images_makes_the_interval_wider():
    even = np.ones(8)
    uneven = np.array([9.0, 1, 1, 1, 1, 1, 1, 1])
    means = np.random.default_rng(4).normal(0, 1, (2000, 8))
    widths = [
        np.mean(np.subtract(*intervals(means * counts, counts, "difference")[::-1]))
        for counts in (even, uneven)
    ]
    assert widths[1] > 1.5 * widths[0]


@pytest.mark.parametrize("patients", [7, 25])
def test_patients_that_are_all_alike_have_no_interval(patients):
    same = pd.Series(0.5, [str(k) for k in range(patients)])
    found = interval_of(same, None, "share")
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_one_patient_with_almost_all_images_has_an_interval_without_a_warning():
    counts = np.array([5000.0, *[1] * 24])
    low, high = intervals(np.random.default_rng(0).beta(8, 2, 25) * counts, counts, "share")
    assert 0 <= low < high <= 1


def test_several_means_at_once_have_the_intervals_of_each_alone():
    sums = np.random.default_rng(0).normal(0, 1, (3, 24))
    sums[1] = 0.25
    counts = np.ones(24)
    together = intervals(sums, counts, "difference")
    for row in range(3):
        alone = intervals(sums[row], counts, "difference")
        assert [end[row] for end in together] == pytest.approx([float(end) for end in alone], nan_ok=True)
    assert np.isnan(together[0]).tolist() == [False, True, False]


def test_no_value_at_all_has_no_interval():
    found = interval_of(pd.Series(dtype=float), None, "share")
    assert (found.method, found.patients) == (NONE, 0)


def test_the_interval_is_the_same_each_time():
    assert interval_of(scores(40), None, "share") == interval_of(scores(40), None, "share")


def test_a_share_of_events_has_an_interval_by_patient():
    table = pd.DataFrame({"sum": [1.0, 0, 2, 0, 1, 3], "count": [4, 4, 4, 4, 4, 4]})
    found = interval_of_ratio(table, "share")
    assert isinstance(found, Interval)
    assert 0 < found.low < 7 / 24 < found.high < 1


def test_tables_say_how_intervals_were_computed_or_why_there_are_none():
    table = pd.DataFrame({"interval": [STUDENT, ""], "patients": [8, 0]})
    assert (
        explain_intervals(table)
        == "In brackets: the 95 % interval of the mean, by patient (Student's t, 8 patients)."
    )
    assert "fewer than 6 patients (3)" in explain_intervals(
        pd.DataFrame({"interval": [NONE], "patients": [3]})
    )
