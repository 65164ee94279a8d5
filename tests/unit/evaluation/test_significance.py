"""Paired differences, their intervals and tests, against values computed by hand."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from samcarry.evaluation.significance import COLUMNS, all_pairs, compare, holm, rank_stability
from support.dice_tables import of_cases, table

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
    rows = table(
        ("unet", 0, "a", "Radius", 9, 9, 0.2),
        ("unet", 1, "a", "Radius", 9, 9, 0.6),
        ("ours_r", 0, "a", "Radius", 9, 9, 0.7),
        ("ours_r", 1, "a", "Radius", 9, 9, 0.3),
    )
    row = compare(rows, [("ours_r", "unet")]).iloc[0]
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


@pytest.mark.parametrize("count", [1, 2, 5])
def test_too_few_cases_have_no_interval(count):
    row = compared(ours_r=BETTER[:count])
    assert np.isnan([row["low"], row["high"]]).all()


def test_a_pair_with_a_method_without_rows_is_left_out():
    rows = of_cases(ours_r=BETTER)
    found = compare(rows, [("unet_full", "unet"), ("ours_r", "unet")])
    assert found["method"].tolist() == ["ours_r"]


def test_wins_losses_and_cases_are_counted():
    row = compared(ours_r=[0.6, 0.7, 0.5, 0.4])
    assert (row["wins"], row["losses"], row["cases"], row["better"]) == (2, 1, 4, 0.5)


def test_fewer_than_six_cases_that_differ_have_no_p():
    assert math.isnan(compared(ours_r=BETTER[:5])["p"])
    assert math.isnan(compared(ours_r=[*BETTER[:5], 0.5, 0.5])["p"])
    assert compared(ours_r=[*BETTER[:5], 0.4])["p"] < 1


def test_equal_differences_are_ties_although_floating_point_separates_them():
    exact = stats.wilcoxon([3, 3, -4, -4, 2, -1, 1, -3]).pvalue
    assert compared(ours_r=[0.8, 0.8, 0.1, 0.1, 0.7, 0.4, 0.6, 0.2])["p"] == pytest.approx(exact)


def test_pairs_without_a_common_case_are_left_out():
    rows = table(("unet", 0, "a", "Radius", 9, 9, 0.2), ("ours_r", 0, "b", "Radius", 9, 9, 0.2))
    found = compare(rows, [("ours_r", "unet")])
    assert (len(found), tuple(found.columns)) == (0, COLUMNS)


# ---- all pairs, and Holm's correction -------------------------------------------------------


def test_every_two_methods_are_a_pair_once_the_later_against_the_earlier():
    assert all_pairs(["unet", "ours_p", "ours_r"]) == [
        ("ours_p", "unet"),
        ("ours_r", "unet"),
        ("ours_r", "ours_p"),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3 × 0.01, then 2 × 0.03, which 1 × 0.04 cannot undercut
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.5, 0.6], [1, 1]),  # never above 1
        ([0.04], [0.04]),
        ([], []),
    ],
)
def test_holms_correction_equals_hand_computed_values(given, expected):
    assert holm(np.array(given)) == pytest.approx(expected)


def test_a_test_without_p_keeps_none_but_counts():
    corrected = holm(np.array([np.nan, 0.01, 0.04]))
    assert math.isnan(corrected[0])
    assert corrected[1:] == pytest.approx([0.03, 0.08])


def test_p_values_are_corrected_for_all_pairs_of_the_table():
    rows = of_cases(ours_r=BETTER, ours_p=[0.4, 0.55, 0.47, 0.44, 0.48, 0.52, 0.46, 0.45])
    alone = compare(rows, [("ours_r", "unet")]).iloc[0]
    found = compare(rows, all_pairs(["unet", "ours_p", "ours_r"]))
    assert alone["p_holm"] == alone["p"]
    assert found["p_holm"].tolist() == pytest.approx(holm(found["p"].to_numpy()).tolist())
    assert found["p_holm"].min() == pytest.approx(3 * found["p"].min())


# ---- by patient ------------------------------------------------------------------------------

TWINS = {f"case {number}": f"patient {number // 2}" for number in range(16)}


def twice(values):
    """Each value for two cases."""
    return [value for value in values for _ in range(2)]


def test_a_patient_with_two_like_images_counts_once():
    one = compared(ours_r=BETTER)
    two = compare(of_cases(ours_r=twice(BETTER)), [("ours_r", "unet")], TWINS).iloc[0]
    for name in ("difference", "low", "high", "p", "effect", "patients"):
        assert two[name] == pytest.approx(one[name]), name
    assert (two["cases"], two["wins"]) == (16, 14)


def test_without_patients_twice_as_many_images_seem_to_say_more():
    one, two = compared(ours_r=BETTER), compared(ours_r=twice(BETTER))
    assert two["high"] - two["low"] < 0.8 * (one["high"] - one["low"])
    assert two["p"] < one["p"]


def test_five_patients_have_no_interval_and_no_p_whatever_their_images():
    patients = {f"case {number}": str(number % 5) for number in range(30)}
    values = np.random.default_rng(0).uniform(0.5, 0.9, 30).tolist()
    row = compare(of_cases(ours_r=values), [("ours_r", "unet")], patients).iloc[0]
    assert np.isnan([row["low"], row["p"]]).all()
    assert (row["patients"], row["cases"]) == (5, 30)


def test_the_effect_is_the_mean_in_units_of_the_deviation():
    differences = 100 * (np.array(BETTER) - 0.5)
    assert compared(ours_r=BETTER)["effect"] == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert math.isnan(compared(ours_r=[0.6])["effect"])
    assert math.isnan(compared(ours_r=[0.6] * 8)["effect"])


# ---- the primary comparison and the margin -------------------------------------------------------


def three_methods(**options):
    rows = of_cases(ours_r=BETTER, ours_p=[0.4, 0.55, 0.47, 0.44, 0.48, 0.52, 0.46, 0.45])
    return compare(rows, all_pairs(["unet", "ours_p", "ours_r"]), **options)


@pytest.mark.parametrize("primary", [("ours_r", "unet"), ("unet", "ours_r")])
def test_the_primary_comparison_is_not_corrected_and_does_not_count_for_the_others(primary):
    found = three_methods(primary=primary).set_index(["method", "against"])
    assert found["primary"].to_dict() == {
        ("ours_p", "unet"): 0,
        ("ours_r", "unet"): 1,
        ("ours_r", "ours_p"): 0,
    }
    assert math.isnan(found["p_holm"]["ours_r", "unet"])
    others = found[found["primary"] == 0]
    assert others["p_holm"].tolist() == pytest.approx(holm(others["p"].to_numpy()).tolist())


def test_without_a_primary_comparison_all_are_corrected():
    found = three_methods()
    assert found["primary"].tolist() == [0, 0, 0]
    assert found["p_holm"].notna().all()


@pytest.mark.parametrize(("margin", "equal"), [(None, None), (1.0, 0), (8.0, 0), (30.0, 1)])
def test_methods_are_equal_if_the_whole_interval_is_within_the_margin(margin, equal):
    rows = of_cases(ours_r=BETTER)
    row = compare(rows, [("ours_r", "unet")], margin=margin).iloc[0]
    assert math.isnan(row["equal"]) if equal is None else row["equal"] == equal


def test_without_an_interval_nothing_is_said_about_equality():
    row = compare(of_cases(ours_r=BETTER[:3]), [("ours_r", "unet")], margin=50).iloc[0]
    assert math.isnan(row["equal"])


# ---- stability of ranks --------------------------------------------------------------------------

CLEAR = {"ours_r": [0.8, 0.82, 0.79, 0.85, 0.81, 0.83], "ours_p": [0.6, 0.61, 0.7, 0.65, 0.62, 0.6]}


def test_ranks_follow_the_mean_and_clear_ones_are_the_same_in_all_resamples():
    found = rank_stability(of_cases(**CLEAR), ["unet", "ours_p", "ours_r"]).set_index("method")
    assert found["rank"].to_dict() == {"unet": 3, "ours_p": 2, "ours_r": 1}
    assert found.loc["ours_r", ["low", "high", "rank_1", "rank_2", "rank_3"]].tolist() == [1, 1, 1, 0, 0]


def test_the_shares_of_a_method_are_one_together_and_show_what_is_uncertain():
    found = rank_stability(of_cases(ours_r=BETTER), ["unet", "ours_r"]).set_index("method")
    shares = found.loc["ours_r", ["rank_1", "rank_2"]]
    assert shares.sum() == pytest.approx(1)
    # The mean of a resample of eight differences is positive in about 99 % of the resamples.
    assert 0.95 < shares["rank_1"] < 1


def test_equal_methods_share_the_better_rank():
    found = rank_stability(of_cases(ours_r=[0.5] * 7), ["unet", "ours_r"])
    assert found["rank"].tolist() == [1, 1]
    assert found["rank_1"].tolist() == [1, 1]


def test_patients_are_resampled_and_not_images():
    values = [0.9, 0.1, 0.52, 0.51, 0.55, 0.45, 0.53]
    twins = {f"case {number}": str(number // 2) for number in range(14)}
    one = rank_stability(of_cases(ours_r=values), ["unet", "ours_r"])["rank_1"]
    two = rank_stability(of_cases(ours_r=twice(values)), ["unet", "ours_r"], twins)["rank_1"]
    assert two.tolist() == pytest.approx(one.tolist())


def test_full_supervision_and_what_has_not_converged_have_no_rank():
    rows = of_cases(**CLEAR, unet_full=[0.9] * 6)
    methods = ["unet", "ours_p", "ours_r", "unet_full"]
    found = rank_stability(rows, methods, not_converged={"ours_p": "cut short"})
    assert found["method"].tolist() == ["unet", "ours_r"]
    assert list(found.columns) == ["method", "rank", "low", "high", "rank_1", "rank_2"]


def test_too_few_patients_have_a_rank_but_no_shares():
    found = rank_stability(of_cases(ours_r=BETTER[:5]), ["unet", "ours_r"])
    assert found["rank"].tolist() == [2, 1]
    assert found[["low", "high", "rank_1", "rank_2"]].isna().all(axis=None)


def test_without_methods_there_are_no_ranks():
    assert rank_stability(of_cases(ours_r=BETTER), ["mean_teacher"]).empty
