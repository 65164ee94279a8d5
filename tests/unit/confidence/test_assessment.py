"""Promised against achieved coverage, and calibration, on cases that nothing was fitted on."""

import numpy as np
import pytest

from samcarry.confidence.assessment import (
    ALL,
    calibration_table,
    coverage_table,
    parts_of,
    reliability_table,
)
from support.unsure_cases import CLASSES, measured_cases


def rows_of(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


@pytest.fixture(scope="module")
def parts():
    return parts_of(measured_cases(40), measured_cases(60, seed=1, first=100), CLASSES)


def test_achieved_coverage_is_near_the_promised_one(parts):
    table = coverage_table(parts, CLASSES, [0.8, 0.9])
    for promise in ("outer", "inner", "dice"):
        for coverage in (0.8, 0.9):
            [row] = rows_of(table, promise=promise, coverage=coverage, **{"class": "a"}).to_dict("records")
            assert row["achieved_low"] <= coverage <= row["achieved_high"] + 0.05
            assert (row["validation_patients"], row["patients"], row["remark"]) == (40, 60, "")
            assert row["kept"] / row["patients"] == row["achieved"]
    [outer] = rows_of(table, promise="outer", coverage=0.9, **{"class": "a"}).to_dict("records")
    [inner] = rows_of(table, promise="inner", coverage=0.9, **{"class": "a"}).to_dict("records")
    assert inner["area"] < 1 < outer["area"]
    [case] = rows_of(table, promise="case dice", coverage=0.9).to_dict("records")
    assert case["patients"] == 60
    assert rows_of(table, promise="both")["coverage"].unique() == pytest.approx([0.6, 0.8])
    [mean] = rows_of(table, promise="outer", coverage=0.9, **{"class": ALL}).to_dict("records")
    assert mean["patients"] == 60
    assert mean["achieved_low"] < mean["achieved"] < mean["achieved_high"]


def test_too_few_validation_patients_promise_nothing():
    parts = parts_of(measured_cases(8), measured_cases(20, seed=1, first=100), CLASSES)
    table = coverage_table(parts, CLASSES, [0.9])
    assert table["achieved"].isna().all()
    assert set(rows_of(table, **{"class": "a"})["remark"]) == {
        "cannot promise: needs at least 9 validation patients, there are 8"
    }
    assert set(rows_of(table, **{"class": ALL})["remark"]) == {
        "cannot promise for any class",
        "cannot promise: needs at least 9 validation patients, there are 8",
    }
    [row] = rows_of(coverage_table(parts, CLASSES, [0.8]), promise="outer", **{"class": ALL}).to_dict(
        "records"
    )
    assert row["remark"] == ""  # four are enough


def test_classes_that_are_rare_are_not_promised():
    parts = parts_of(measured_cases(12), measured_cases(20, seed=1, first=100), CLASSES)
    table = coverage_table(parts, CLASSES, [0.9])
    assert "there are 8" in rows_of(table, promise="outer", **{"class": "b"})["remark"].item()
    assert rows_of(table, promise="outer", **{"class": "a"})["remark"].item() == ""
    [mean] = rows_of(table, promise="outer", **{"class": ALL}).to_dict("records")
    assert mean["remark"] == "cannot promise for 1 of 2 classes"


def test_without_a_test_split_each_patient_is_assessed_by_the_others():
    parts = parts_of(measured_cases(20), [], CLASSES)
    assert len(parts) == 5
    assessed = [one.patient for part in parts for one in part.measured]
    assert sorted(set(assessed)) == sorted({str(place) for place in range(20)})
    table = coverage_table(parts, CLASSES, [0.8])
    [row] = rows_of(table, promise="outer", **{"class": "a"}).to_dict("records")
    assert (row["validation_patients"], row["patients"]) == (16, 20)
    assert len(parts_of(measured_cases(3), [], CLASSES)) == 3
    assert parts_of(measured_cases(1), [], CLASSES) == []
    assert parts_of([], measured_cases(3), CLASSES) == []


def test_calibration_improves_by_the_temperature(parts):
    table = calibration_table(parts, CLASSES)
    [pixel] = rows_of(table, level="pixel", **{"class": ALL}).to_dict("records")
    [of_a] = rows_of(table, level="pixel", **{"class": "a"}).to_dict("records")
    assert of_a["ece_after"] < of_a["ece_before"] / 2
    assert pixel["brier_change_high"] < 0
    assert of_a["temperature"] > 1.2
    assert (pixel["cases"], pixel["patients"]) == (60, 60)
    [image] = rows_of(table, level="image", **{"class": "b"}).to_dict("records")
    assert image["predictions"] == 60
    assert image["brier_before"] > 0.2  # the class is drawn where it is absent


def test_reliability_counts_all_predictions(parts):
    table = reliability_table(parts, CLASSES)
    for when in ("before", "after"):
        image = rows_of(table, level="image", temperature=when)
        assert image["predictions"].sum() == 120
        assert (image["observed"] * image["predictions"]).sum() == pytest.approx(100)
    assert table["bin"].between(0, 0.9).all()
    assert np.isfinite(table["predicted"]).all()
