"""The numbers that are told, against hand-computed ones."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from samcarry.summary import case_dice, compare, summarise, to_markdown


def table(*rows):
    """Rows of dice.csv from (method, seed, case, class, reference_px, predicted_px, dice)."""
    columns = ["method", "seed", "case", "class", "reference_px", "predicted_px", "dice"]
    return pd.DataFrame(rows, columns=columns)


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


def of_cases(**dice):
    """One seed and class; `unet` has Dice 0.5 everywhere, other methods what is given."""
    names = [f"case {k}" for k in range(len(next(iter(dice.values()))))]
    rows = [("unet", 0, case, "Radius", 10, 10, 0.5) for case in names]
    rows += [
        (method, 0, case, "Radius", 10, 10, value)
        for method, values in dice.items()
        for case, value in zip(names, values, strict=True)
    ]
    return table(*rows)


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


def test_methods_come_in_the_order_asked_for():
    rows = of_cases(ours_r=[0.6, 0.7], ours_p=[0.6, 0.7])
    assert list(summarise(rows, ["ours_r", "unet", "ours_p"])["method"]) == ["ours_r", "unet", "ours_p"]


def test_a_method_without_rows_is_left_out():
    assert list(summarise(ROWS, ["unet", "unet_full"])["method"]) == ["unet"]


# ---- paired differences ---------------------------------------------------------------------

BETTER = [0.55, 0.62, 0.48, 0.7, 0.58, 0.66, 0.51, 0.6]


def compared(**dice):
    method = next(iter(dice))
    return compare(of_cases(**dice), [(method, "unet")]).iloc[0]


def test_the_difference_is_the_mean_over_cases_in_points():
    assert compared(ours_r=BETTER)["difference"] == pytest.approx(100 * (np.mean(BETTER) - 0.5))


def test_the_interval_contains_the_mean_difference():
    row = compared(ours_r=BETTER)
    assert row["low"] < row["difference"] < row["high"]


def test_the_interval_is_about_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(0.6, 0.05, 60).clip(0, 1).tolist()
    row = compared(ours_r=values)
    error = 100 * np.std(values, ddof=1) / math.sqrt(60)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_the_interval_is_the_same_each_time():
    assert compared(ours_r=BETTER).equals(compared(ours_r=BETTER))


def test_swapping_the_methods_turns_the_difference_round():
    rows = of_cases(ours_r=BETTER)
    forth, back = (row for _, row in compare(rows, [("ours_r", "unet"), ("unet", "ours_r")]).iterrows())
    assert back["difference"] == pytest.approx(-forth["difference"])
    assert back["p"] == pytest.approx(forth["p"])
    assert back["better"] == pytest.approx(1 - forth["better"])


def test_p_is_wilcoxons_exact_two_sided_one():
    differences = np.array(BETTER) - 0.5
    ranks = stats.rankdata(abs(differences))
    observed = ranks[differences > 0].sum()
    signs = np.array(list(itertools.product([0, 1], repeat=len(ranks))))
    sums = signs @ ranks
    expected = 2 * min((sums >= observed).mean(), (sums <= observed).mean())
    assert compared(ours_r=BETTER)["p"] == pytest.approx(expected)


def test_better_is_the_share_of_cases():
    assert compared(ours_r=BETTER)["better"] == pytest.approx(7 / 8)


def test_cases_are_paired_by_name_and_not_by_place():
    rows = table(
        ("unet", 0, "a", "Radius", 9, 9, 0.2),
        ("unet", 0, "b", "Radius", 9, 9, 0.8),
        ("ours_r", 0, "b", "Radius", 9, 9, 0.9),
        ("ours_r", 0, "a", "Radius", 9, 9, 0.3),
    )
    assert compare(rows, [("ours_r", "unet")]).iloc[0]["better"] == 1


def test_seeds_are_averaged_before_cases_are_paired():
    other = ROWS.assign(method="ours_r", dice=ROWS["dice"] + 0.1)
    row = compare(pd.concat([ROWS, other]), [("ours_r", "unet")]).iloc[0]
    assert (row["difference"], row["better"]) == (pytest.approx(10), 1)


def test_a_case_that_only_one_method_has_is_left_out():
    rows = of_cases(ours_r=BETTER)
    more = pd.concat([rows, table(("ours_r", 0, "extra", "Radius", 9, 9, 0.0))])
    pair = [("ours_r", "unet")]
    assert compare(more, pair).equals(compare(rows, pair))


def test_identical_methods_differ_by_nothing_with_no_p_and_no_interval():
    row = compared(ours_r=[0.5] * 8)
    assert (row["difference"], row["better"]) == (0, 0)
    assert np.isnan([row["p"], row["low"], row["high"]]).all()


def test_a_difference_that_is_the_same_in_every_case_does_not_crash():
    row = compared(ours_r=[0.6] * 8)
    assert row["difference"] == pytest.approx(10)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_cases_have_no_interval(count):
    row = compared(ours_r=BETTER[:count])
    assert np.isnan([row["low"], row["high"]]).all()


def test_a_pair_of_which_one_has_no_rows_is_left_out():
    rows = of_cases(ours_r=BETTER)
    found = compare(rows, [("unet_full", "unet"), ("ours_r", "unet")])
    assert found["method"].tolist() == ["ours_r"]


# ---- the page -------------------------------------------------------------------------------


def page(rows, methods=("unet", "ours_r"), missing=None, split="test"):
    differences = compare(rows, [("ours_r", "unet")])
    return to_markdown("wrist", 5, split, summarise(rows, methods), differences, missing or {})


def test_the_page_tells_means_differences_and_intervals():
    text = page(of_cases(ours_r=BETTER))
    assert "# wrist, n = 5" in text
    assert "| unet | 50.0 ± 0.0 |" in text
    assert "| ours_r | unet | +8.8 |" in text
    assert "88 % of cases" in text


def test_a_method_that_cannot_be_had_is_a_row_that_says_why():
    text = page(of_cases(ours_r=BETTER), missing={"unet_full": "no labels"})
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


def test_methods_that_were_not_judged_on_test_are_told_so():
    assert "no test case: methods are judged on val" in page(of_cases(ours_r=BETTER), split="val")
