"""The spread over which cases were labelled, apart from seeds: values by hand, and a simulation."""

import numpy as np
import pandas as pd
import pytest

from samcarry.evaluation.draws import add_draws, summarise_draws


def dice_table(n, trainings, method="unet"):
    """Rows of dice.csv from {seed: {case: Dice}}."""
    rows = [
        ("demo", method, n, seed, case, "Radius", dice)
        for seed, cases in trainings.items()
        for case, dice in cases.items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "method", "n", "seed", "case", "class", "dice"])


def test_with_one_seed_the_spread_over_draws_is_that_of_their_means():
    tables = [dice_table(5, {0: {"a": 0.4, "b": 0.6}}), dice_table(5, {0: {"a": 0.6, "b": 0.8}})]
    (row,) = summarise_draws(tables, [1, 2], ["unet"]).to_dict("records")
    assert (row["draws"], row["seeds"], row["mean"], row["low"], row["high"]) == (2, 1, 60, 50, 70)
    assert row["draw_std"] == pytest.approx(np.std([50, 70], ddof=1))
    assert row["case_std"] == pytest.approx(np.std([50, 70], ddof=1))
    assert np.isnan(row["seed_std"])


def test_the_part_that_is_due_to_seeds_is_taken_off():
    tables = [
        dice_table(5, {0: {"a": 0.4}, 1: {"a": 0.6}}),  # mean 50, variance over seeds 200
        dice_table(5, {0: {"a": 0.7}, 1: {"a": 0.9}}),  # mean 80, variance 200
    ]
    (row,) = summarise_draws(tables, [1, 2], ["unet"]).to_dict("records")
    assert row["seed_std"] == pytest.approx(np.sqrt(200))
    assert row["draw_std"] == pytest.approx(np.sqrt(450 - 200 / 2))


def test_seeds_alone_leave_no_spread_over_draws():
    tables = [dice_table(5, {0: {"a": 0.2}, 1: {"a": 0.8}}), dice_table(5, {0: {"a": 0.3}, 1: {"a": 0.7}})]
    (row,) = summarise_draws(tables, [1, 2], ["unet"]).to_dict("records")
    assert row["draw_std"] == 0


def test_planted_deviations_are_found_on_average():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        tables = []
        for shift in rng.normal(0, 0.03, 5):
            seeds = {seed: {"a": 0.7 + shift + rng.normal(0, 0.02)} for seed in range(3)}
            tables.append(dice_table(8, seeds))
        (row,) = summarise_draws(tables, range(1, 6), ["unet"]).to_dict("records")
        found.append((row["draw_std"] ** 2, row["seed_std"] ** 2))
    assert np.sqrt(np.mean(found, axis=0)) == pytest.approx([3, 2], rel=0.08)


def test_full_supervision_and_a_single_draw_have_no_row():
    tables = [
        pd.concat([dice_table(5, {0: {"a": 0.4}}), dice_table(5, {0: {"a": 0.9}}, "unet_full")]),
        pd.concat([dice_table(5, {0: {"a": 0.5}}), dice_table(5, {0: {"a": 0.9}}, "unet_full")]),
        dice_table(8, {0: {"a": 0.4}}),
    ]
    found = summarise_draws(tables, [1, 2, 1], ["unet", "unet_full", "ours_r"])
    assert found[["method", "n"]].to_numpy().tolist() == [["unet", 5]]


def test_a_table_gets_the_spread_of_its_own_rows():
    draws = summarise_draws(
        [dice_table(5, {0: {"a": 0.4}}), dice_table(5, {0: {"a": 0.6}})], [1, 2], ["unet"]
    )
    table = pd.DataFrame({"method": ["unet", "unet", "ours_r"], "n": [5, 8, 5]})
    joined = add_draws(table, draws)
    assert joined["draws"].tolist() == [2, 1, 1]
    assert joined["draw_std"].notna().tolist() == [True, False, False]
    assert add_draws(table, None)["draws"].tolist() == [1, 1, 1]
