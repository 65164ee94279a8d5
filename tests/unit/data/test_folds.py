"""Folds keep the images of a patient together and are never empty."""

import pytest

from samcarry.data.folds import deal, draw_of, folds_of


def test_patients_are_dealt_out_in_order():
    assert folds_of(["a", "b", "c", "d", "e"], 3) == [1, 2, 3, 1, 2]


def test_all_cases_of_a_patient_are_in_one_fold():
    assert folds_of(["a", "b", "a", "c", "b"], 2) == [1, 2, 1, 1, 2]


@pytest.mark.parametrize(("patients", "folds"), [(["a", "a"], 2), (["a", "b"], 3), (["a", "b"], 1), ([], 2)])
def test_a_fold_without_cases_is_refused(patients, folds):
    with pytest.raises(ValueError, match="folds"):
        folds_of(patients, folds)


def test_the_first_draw_is_the_given_order_and_others_are_random_and_nested():
    cases = [f"case{number}" for number in range(20)]
    assert draw_of(cases, 1) == cases
    second, third = draw_of(cases, 2), draw_of(cases, 3)
    assert sorted(second) == sorted(third) == sorted(cases)
    assert second != cases
    assert second != third
    assert draw_of(cases, 2) == second


def test_patients_may_be_fewer_than_folds_where_a_fold_may_be_empty():
    assert deal(["b", "a", "b"], 3) == [1, 2, 1]
    assert deal([], 3) == []
    patients = ["c", "a", "b", "a", "d"]
    assert deal(patients, 2) == folds_of(patients, 2) == [1, 2, 1, 2, 2]
