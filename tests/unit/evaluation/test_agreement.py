"""Agreement of areas and centres, against values computed by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from samcarry.evaluation.agreement import COLUMNS, agreement_table
from support.dice_tables import table

NAN = float("nan")


def rows(*entries, seed=0):
    """Rows of `unet` from (case, reference, predicted, centre)."""
    found = [("unet", seed, case, "Ulna", true, drawn, 0.5) for case, true, drawn, _ in entries]
    return table(*found).assign(centre_px=[entry[-1] for entry in entries])


ROWS = rows(("a", 100, 110, 1.0), ("b", 100, 90, 2.0), ("c", 200, 260, 6.0), ("d", 0, 30, NAN))


def only(frame, patients=None):
    (row,) = agreement_table(frame, ["unet"], patients).to_dict("records")
    return row


def test_areas_are_compared_over_the_cases_with_the_class():
    row = only(ROWS)
    assert (row["cases"], row["found"], row["unit"]) == (3, 3, "px")
    assert (row["area"], row["area_bias"]) == (pytest.approx(400 / 3), pytest.approx(20))
    assert row["area_error_percent"] == pytest.approx((10 + 10 + 30) / 3)
    assert row["centre"] == pytest.approx(3)


def test_the_limits_of_agreement_are_1_96_deviations_from_the_bias():
    row = only(ROWS)
    deviation = np.std([10, -10, 60], ddof=1)
    assert (row["limit_low"], row["limit_high"]) == pytest.approx(
        (20 - 1.96 * deviation, 20 + 1.96 * deviation)
    )


def test_the_limits_are_those_of_single_predictions_and_not_of_means_over_seeds():
    opposite = rows(("a", 100, 90, 1.0), ("b", 100, 110, 2.0), ("c", 200, 140, 6.0), seed=1)
    row = only(pd.concat([ROWS, opposite]))
    assert row["area_bias"] == pytest.approx(0)
    deviation = np.std([10, -10, 60], ddof=1)
    assert row["limit_high"] == pytest.approx(1.96 * deviation)
    assert row["seeds"] == 2


def test_a_class_that_is_not_found_has_no_area_and_no_centre():
    row = only(rows(("a", 100, 0, NAN), ("b", 100, 100, 2.0)))
    assert (row["area_bias"], row["found"], row["centre"]) == (-50, 1, 2)


def test_a_class_that_is_never_found_has_no_centre_at_all():
    assert math.isnan(only(rows(("a", 100, 0, NAN), ("b", 100, 0, NAN)))["centre"])


def test_areas_are_in_square_mm_where_they_are_known():
    frame = ROWS.rename(columns={"hd95_px": "hd95_mm", "centre_px": "centre_mm"})
    frame = frame.assign(reference_mm2=frame["reference_px"] / 10, predicted_mm2=frame["predicted_px"] / 10)
    row = only(frame)
    assert (row["unit"], row["area"]) == ("mm", pytest.approx(40 / 3))
    assert (row["area_bias"], row["area_error_percent"]) == (pytest.approx(2), pytest.approx(50 / 3))


def test_means_have_intervals_by_patient():
    many = rows(*[(f"case {k}", 100, 100 + k, 1.0 + k) for k in range(12)])
    row = only(many)
    for name in ("area_bias", "area_error_percent", "centre"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
    assert row["patients"] == 12
    few = only(many, {f"case {k}": str(k % 3) for k in range(12)})
    assert (few["patients"], few["cases"]) == (3, 12)
    assert math.isnan(few["area_bias_low"])


def test_one_case_has_a_bias_but_no_limits():
    row = only(ROWS[:1])
    assert row["area_bias"] == 10
    assert math.isnan(row["limit_low"])


def test_without_methods_the_table_has_its_columns():
    assert tuple(agreement_table(ROWS, ["ours_r"]).columns) == COLUMNS
