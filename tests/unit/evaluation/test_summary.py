"""Summary statistics, against values computed by hand."""

import math
import re

import numpy as np
import pandas as pd
import pytest

from samcarry.evaluation.scores import DiceRow, write_dice
from samcarry.evaluation.significance import compare
from samcarry.evaluation.summary import (
    case_dice,
    read_dice,
    summarise,
    summarise_ablation,
    summarise_classes,
    summarise_groups,
)
from samcarry.evaluation.summary_page import to_markdown
from support.dice_tables import of_cases, table

NAN = np.nan
# Case a has both classes, case b one; seed 1 is better than seed 0.
ROWS = table(
    ("unet", 0, "a", "Radius", 10, 9, 0.4),
    ("unet", 0, "a", "Ulna", 10, 9, 0.6),
    ("unet", 1, "a", "Radius", 10, 9, 0.6),
    ("unet", 1, "a", "Ulna", 10, 9, 0.8),
    ("unet", 0, "b", "Radius", 10, 9, 0.8),
    ("unet", 0, "b", "Ulna", 0, 5, NAN),
    ("unet", 1, "b", "Radius", 10, 9, 1.0),
    ("unet", 1, "b", "Ulna", 0, 0, NAN),
)


# ---- means and deviations -------------------------------------------------------------------


def test_a_cases_dice_is_the_mean_over_its_present_classes_and_then_over_seeds():
    cases = case_dice(ROWS)["unet"]
    assert cases.to_dict() == {"a": pytest.approx((0.5 + 0.7) / 2), "b": pytest.approx((0.8 + 1.0) / 2)}


def test_seeds_count_alike_although_one_has_a_case_more():
    rows = table(
        ("unet", 0, "a", "Radius", 9, 9, 0.2),
        ("unet", 0, "a", "Ulna", 9, 9, 0.2),
        ("unet", 0, "a", "Os", 9, 9, 0.2),
        ("unet", 1, "a", "Radius", 9, 9, 0.8),
    )
    assert case_dice(rows)["unet"]["a"] == pytest.approx(0.5)


def test_mean_and_sample_deviation_go_over_cases_in_percent():
    row = summarise(ROWS, ["unet"]).iloc[0]
    assert row["mean"] == pytest.approx(75)  # of 60 and 90
    assert row["std"] == pytest.approx(math.sqrt(2 * 15**2 / 1))


def test_the_spread_over_seeds_is_that_of_their_means():
    row = summarise(ROWS, ["unet"]).iloc[0]
    assert row["seed_std"] == pytest.approx(math.sqrt(2 * 10**2 / 1))  # of 65 and 85


def test_seeds_and_cases_are_counted():
    row = summarise(ROWS, ["unet"]).iloc[0]
    assert (row["seeds"], row["cases"]) == (2, 2)


def test_a_single_seed_has_no_spread():
    row = summarise(ROWS[ROWS["seed"] == 0], ["unet"]).iloc[0]
    assert math.isnan(row["seed_std"])


def test_false_positives_are_the_share_of_absent_classes_that_are_drawn():
    assert summarise(ROWS, ["unet"]).iloc[0]["false_positives"] == pytest.approx(50)


def test_without_absent_classes_there_is_no_rate_of_false_positives():
    rows = ROWS[ROWS["reference_px"] > 0]
    assert math.isnan(summarise(rows, ["unet"]).iloc[0]["false_positives"])


def test_a_case_in_which_nothing_is_present_is_no_case():
    rows = pd.concat([ROWS, table(("unet", 0, "empty", "Radius", 0, 0, NAN))])
    row = summarise(rows, ["unet"]).iloc[0]
    assert (row["cases"], row["mean"]) == (2, pytest.approx(75))


def test_methods_keep_the_given_order():
    rows = of_cases(ours_r=[0.6, 0.7], ours_p=[0.6, 0.7])
    assert list(summarise(rows, ["ours_r", "unet", "ours_p"])["method"]) == ["ours_r", "unet", "ours_p"]


def test_a_method_without_rows_is_left_out():
    assert list(summarise(ROWS, ["unet", "unet_full"])["method"]) == ["unet"]


@pytest.mark.parametrize(("column", "expected"), [("median", 75), ("q1", 67.5), ("q3", 82.5)])
def test_quartiles_go_over_cases(column, expected):
    assert summarise(ROWS, ["unet"]).iloc[0][column] == pytest.approx(expected)  # of 60 and 90


def test_distances_and_surface_dice_are_averaged_as_dice_is():
    row = summarise(ROWS, ["unet"]).iloc[0]
    assert (row["hd95"], row["surface_dice"]) == (pytest.approx(2.5), pytest.approx(37.5))
    assert row["hd95_std"] == pytest.approx(row["std"] / 10)
    assert row["surface_dice_std"] == pytest.approx(row["std"] / 2)


def test_no_method_at_all_is_a_table_with_its_columns():
    assert list(summarise(ROWS, []).columns[:5]) == ["method", "seeds", "cases", "mean", "std"]


# ---- intervals and ranks ----------------------------------------------------------------------

CASES = [f"case {k}" for k in range(8)]
GOOD = [0.81, 0.72, 0.9, 0.65, 0.88, 0.77, 0.7, 0.85]


def test_every_mean_has_an_interval_around_it():
    row = summarise(of_cases(ours_r=GOOD), ["ours_r"]).iloc[0]
    for name in ("mean", "hd95", "surface_dice"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
    assert (row["patients"], row["interval"]) == (8, "Student's t")


def test_the_interval_of_false_positives_is_by_patient():
    absent = [("unet", 0, case, "Ulna", 0, 3 * (k % 3 == 0), NAN) for k, case in enumerate(CASES)]
    row = summarise(pd.concat([of_cases(ours_r=GOOD), table(*absent)]), ["unet"]).iloc[0]
    assert row["false_positives"] == pytest.approx(100 * 3 / 8)
    assert 0 < row["false_positives_low"] < row["false_positives"] < row["false_positives_high"] < 100
    one = dict.fromkeys(CASES[:4], "one") | {case: case for case in CASES[4:]}
    wider = summarise(pd.concat([of_cases(ours_r=GOOD), table(*absent)]), ["unet"], one).iloc[0]
    assert math.isnan(wider["false_positives_low"])
    assert wider["patients"] == 5


def test_too_few_patients_have_no_interval_and_the_table_says_why():
    row = summarise(of_cases(ours_r=GOOD), ["ours_r"], dict.fromkeys(CASES, "one")).iloc[0]
    assert (row["patients"], row["interval"]) == (1, "none: fewer than 6 patients")
    assert math.isnan(row["mean_low"])


def test_the_mean_and_its_deviation_do_not_depend_on_the_patients():
    rows = of_cases(ours_r=GOOD)
    shared = dict.fromkeys(CASES[:3], "one") | {case: case for case in CASES[3:]}
    plain, by_patient = (summarise(rows, ["ours_r"], owner).iloc[0] for owner in (None, shared))
    assert plain[:14].equals(by_patient[:14])
    assert by_patient["mean_high"] - by_patient["mean_low"] > plain["mean_high"] - plain["mean_low"]


def test_ranks_are_by_mean_dice_without_full_supervision_and_what_has_not_converged():
    rows = of_cases(ours_r=GOOD, ours_p=[0.6] * 8, unet_full=[0.95] * 8, fixmatch=[0.1] * 8)
    methods = ["unet", "ours_p", "ours_r", "unet_full", "fixmatch"]
    found = summarise(rows, methods, not_converged={"ours_p": "cut short"}).set_index("method")
    assert found["rank"].to_dict() == {
        "unet": 2,
        "ours_p": pytest.approx(NAN, nan_ok=True),
        "ours_r": 1,
        "unet_full": pytest.approx(NAN, nan_ok=True),
        "fixmatch": 3,
    }
    assert found["not_converged"].tolist() == ["", "cut short", "", "", ""]


def test_classes_have_intervals_of_the_cases_that_have_them():
    rows = of_cases(ours_r=GOOD)
    few = table(*[("ours_r", 0, case, "Os", 9, 9, 0.5 + k / 10) for k, case in enumerate(CASES[:4])])
    found = summarise_classes(pd.concat([rows, few]), ["ours_r"]).set_index("class")
    assert found["mean_low"]["Radius"] < found["mean"]["Radius"] < found["mean_high"]["Radius"]
    assert math.isnan(found["mean_low"]["Os"])
    assert found["interval"].to_dict() == {"Radius": "Student's t", "Os": "none: fewer than 6 patients"}
    assert found["patients"].to_dict() == {"Radius": 8, "Os": 4}


# ---- reading --------------------------------------------------------------------------------


def test_names_that_look_like_numbers_or_like_nothing_stay_names(tmp_path):
    rows = [DiceRow("1", 5, 0, "unet", case, "08", 3, 3, 1.0, 0.0, 1.0) for case in ("007", "NA")]
    write_dice(tmp_path / "dice.csv", rows)
    back = read_dice(tmp_path / "dice.csv")
    assert list(case_dice(back).index) == ["007", "NA"]
    assert (back["dataset"][0], back["class"][0], back["n"][0]) == ("1", "08", 5)


def test_scores_that_are_undefined_are_read_as_nan(tmp_path):
    write_dice(tmp_path / "dice.csv", [DiceRow("d", 5, 0, "unet", "a", "Ulna", 0, 3, None, None, None)])
    assert read_dice(tmp_path / "dice.csv")[["dice", "hd95_px", "surface_dice"]].isna().all(axis=None)


# ---- by class -------------------------------------------------------------------------------


def test_a_class_counts_the_cases_that_have_it():
    by_class = summarise_classes(ROWS, ["unet"]).set_index("class")
    assert by_class["cases"].to_dict() == {"Radius": 2, "Ulna": 1}


def test_scores_of_a_class_go_over_cases_seeds_averaged():
    row = summarise_classes(ROWS, ["unet"]).set_index("class").loc["Radius"]  # of 50 and 90
    assert (row["mean"], row["std"]) == (pytest.approx(70), pytest.approx(math.sqrt(2 * 20**2)))
    assert (row["hd95"], row["surface_dice"]) == (pytest.approx(3), pytest.approx(35))


def test_a_class_in_one_case_has_no_deviation():
    assert math.isnan(summarise_classes(ROWS, ["unet"]).set_index("class")["std"]["Ulna"])


def test_the_false_positive_rate_of_a_class_is_over_those_without_it():
    rates = summarise_classes(ROWS, ["unet"]).set_index("class")["false_positive_rate"]
    assert rates["Ulna"] == pytest.approx(50)
    assert math.isnan(rates["Radius"])


def test_a_class_that_no_case_has_is_a_row_without_scores():
    rows = pd.concat([ROWS, table(("unet", 0, "a", "Os", 0, 4, NAN), ("unet", 0, "b", "Os", 0, 0, NAN))])
    row = summarise_classes(rows, ["unet"]).set_index("class").loc["Os"]
    assert (row["cases"], row["false_positive_rate"]) == (0, pytest.approx(50))
    assert math.isnan(row["mean"])


def test_the_columns_by_class_are_those_of_the_contract():
    assert ",".join(summarise_classes(ROWS, ["unet"]).columns) == (
        "method,class,cases,mean,std,hd95,surface_dice,false_positive_rate,patients,mean_low,mean_high,"
        "hd95_low,hd95_high,surface_dice_low,surface_dice_high,"
        "false_positive_rate_low,false_positive_rate_high,interval,unit"
    )


# ---- by group -------------------------------------------------------------------------------


def test_a_group_has_the_scores_of_its_cases():
    rows = of_cases(ours_r=GOOD)
    groups = {case: "north" if k < 6 else "" for k, case in enumerate(CASES)}
    found = summarise_groups(rows, ["unet", "ours_r"], groups).set_index(["group", "method"])
    assert list(found.index.unique("group")) == ["north", ""]
    assert found["cases"].tolist() == [6, 6, 2, 2]
    assert found["mean"]["north", "ours_r"] == pytest.approx(100 * np.mean(GOOD[:6]))
    assert not math.isnan(found["mean_low"]["north", "ours_r"])
    assert found["interval"]["", "ours_r"] == "none: fewer than 6 patients"


def test_without_groups_the_table_is_empty():
    found = summarise_groups(of_cases(ours_r=GOOD), ["ours_r"], dict.fromkeys(CASES, ""))
    assert list(found.columns[:3]) == ["group", "method", "seeds"]
    assert found.empty


# ---- over n ---------------------------------------------------------------------------------


def test_the_ablation_has_a_row_for_each_method_and_n():
    smaller = of_cases(ours_r=[0.2, 0.3]).assign(n=1)
    found = summarise_ablation([of_cases(ours_r=[0.6, 0.7]), smaller], ["unet", "ours_r"])
    assert list(zip(found["method"], found["n"], found["mean"].round(6), strict=True)) == [
        ("unet", 1, 50),
        ("unet", 5, 50),
        ("ours_r", 1, 25),
        ("ours_r", 5, 65),
    ]


def test_a_method_that_was_not_run_for_some_n_has_no_row_there():
    found = summarise_ablation([ROWS, of_cases(ours_r=[0.2]).assign(n=1)], ["ours_r"])
    assert list(zip(found["method"], found["n"], strict=True)) == [("ours_r", 1)]


def test_the_columns_of_the_ablation_are_those_of_the_contract():
    assert ",".join(summarise_ablation([ROWS], ["unet"]).columns) == (
        "dataset,method,n,seeds,cases,mean,std,median,q1,q3,seed_std,patients,mean_low,mean_high,interval"
    )


# ---- the page -------------------------------------------------------------------------------

BETTER = [0.55, 0.62, 0.48, 0.7, 0.58, 0.66, 0.51, 0.6]


def page(rows, methods=("unet", "ours_r"), missing=None, split="test"):
    differences = compare(rows, [("ours_r", "unet")])
    return to_markdown("wrist", 5, split, summarise(rows, methods), differences, missing or {})


def unpadded(text):
    """Text without the spaces that line up the columns of tables."""
    return re.sub(" +", " ", text)


def test_the_page_shows_means_differences_and_intervals():
    text = unpadded(page(of_cases(ours_r=BETTER)))
    assert "# wrist, n = 5" in text
    assert "| unet | 50.0 ± 0.0 |" in text
    assert "| ours_r | unet | +8.8 |" in text
    assert "88 % of cases" in text


def test_the_page_shows_intervals_ranks_effects_and_the_primary_comparison():
    rows = of_cases(ours_r=BETTER)
    differences = compare(rows, [("ours_r", "unet")], primary=("ours_r", "unet"), margin=30)
    summary = summarise(rows, ["unet", "ours_r"])
    text = unpadded(to_markdown("wrist", 5, "test", summary, differences, {}, 30))
    ours = next(line for line in text.splitlines() if line.startswith("| ours_r | 58.8 ± 7.4 ("))
    assert re.search(r"\| 58\.8 ± 7\.4 \(5\d\.\d to 6\d\.\d\) \|", ours)
    assert "| 1 | 1 | 8 | 8 |" in ours  # rank, seeds, cases, patients
    assert "by patient (Student's t, 8 patients)" in text
    assert "is the primary comparison" in text
    assert "all other comparisons" in text
    assert "±30 points" in text
    assert re.search(r"\| 0\.\d+ \(primary\) \| – \| \+1\.19 \| yes \|", text)


def test_the_page_says_which_methods_have_no_rank():
    rows = of_cases(ours_r=BETTER)
    summary = summarise(rows, ["unet", "ours_r"], not_converged={"unet": "not converged: cut"})
    text = to_markdown("wrist", 5, "test", summary, compare(rows, []), {})
    assert "No rank for `unet`, not converged: cut." in text


def test_without_enough_patients_the_page_says_why_there_are_no_intervals():
    text = page(of_cases(ours_r=BETTER[:3]))
    assert "Means have no interval, because there are fewer than 6 patients (3)." in text


def test_a_method_that_cannot_be_run_is_a_row_that_says_why():
    text = unpadded(page(of_cases(ours_r=BETTER), missing={"unet_full": "no labels"}))
    (row,) = [line for line in text.splitlines() if "unet_full" in line]
    assert row.startswith("| unet_full | n/a: no labels |")


def test_every_row_of_a_table_has_as_many_columns_as_its_head():
    text = page(of_cases(ours_r=BETTER), missing={"unet_full": "no labels"})
    first, second = (part for part in text.split("\n\n") if part.startswith("|"))
    for lines in (first.splitlines(), second.splitlines()):
        assert {line.count("|") for line in lines} == {lines[0].count("|")}


@pytest.mark.parametrize("values", [[0.5] * 8, [0.6], [0.6, 0.7]])
def test_what_is_undefined_is_a_dash_and_never_nan(values):
    assert "nan" not in page(of_cases(ours_r=values))


def test_a_page_without_pairs_has_no_table_of_differences():
    assert "Paired" not in page(ROWS, ["unet"])


def test_the_page_says_if_methods_were_not_evaluated_on_test():
    assert "no test case: methods are evaluated on val" in page(of_cases(ours_r=BETTER), split="val")


def test_the_page_begins_with_a_reading_as_text():
    rows = of_cases(ours_r=BETTER, ours_p=[0.4] * 8, unet_sam=[0.2] * 8)
    summary = summarise(rows, ["unet", "unet_sam", "ours_p", "ours_r"])
    text = to_markdown("wrist", "5", "test", summary, compare(rows, []), {}, notes=["SAM `tiny` is a demo."])
    reading = text.splitlines()[2]
    assert reading.startswith("In short: `ours_r` has the highest mean Dice, 58.8 %.")
    assert "SAM made the masks of `unet` worse: 50.0 to 20.0 % (-30.0 points)." in reading
    assert "does not suit these images" in reading
    assert "(`ours_r`) was better than on the first network's own (`ours_p`)" in reading
    assert reading.endswith("SAM `tiny` is a demo.")
    assert "`ours_r` is ours w/ SAM (R)" in text


def test_without_absent_classes_there_is_no_percent_sign_without_a_number():
    rows = of_cases(ours_r=BETTER)
    rows = rows[rows["reference_px"] > 0]
    text = page(rows)
    assert "– %" not in text
    assert "here, every class is present in every case" in text
