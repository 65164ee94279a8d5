"""How many more labels: the interval covers the gain of a new draw, and too few sizes give no row."""

import numpy as np
import pandas as pd
import pytest

from samcarry.evaluation.label_curve import COLUMNS, explain_gains, label_gains, read_gain

CASES = [f"c{number}" for number in range(24)]


def draw_curve(rng):
    """A learning curve of the error 1 - Dice, as networks with few labels have: 0.08 to 0.4 at 8 labels."""
    level, reducible = rng.uniform(0.08, 0.4), rng.uniform(0.2, 1)
    kind = rng.choice(["power", "exponential", "logarithm", "flat"])
    steep = rng.uniform(0.2, 1.2)
    shape = {
        "power": lambda n: 1 - reducible + reducible * (n / 8) ** -steep,
        "exponential": lambda n: 1 - reducible + reducible * np.exp(-steep * (n / 8 - 1)),
        "logarithm": lambda n: 1 - 0.2 * steep * np.log(n / 8),
        "flat": lambda n: 1.0,
    }[kind]
    level *= min(1, 0.75 / (level * shape(2)))
    return lambda n: level * shape(n)


def trained(curve, n, hardness, rng):
    """Dice by case of a training with n labelled cases: trainings differ by 6 % of the error."""
    error = curve(n) * (1 + 0.06 * rng.standard_normal()) * hardness
    return 1 - np.clip(error * (1 + 0.2 * rng.standard_normal(len(hardness))), 0.005, 0.99)


def table(n, dice, seed=0, classes=("a",)):
    rows = [
        ("demo", n, seed, "unet", case, name, value)
        for case, value in zip(CASES, dice, strict=True)
        for name in classes
    ]
    return pd.DataFrame(rows, columns=["dataset", "n", "seed", "method", "case", "class", "dice"])


def run(rng, curve, sizes=((2, 3), (4, 3), (8, 1))):
    hardness = rng.gamma(3, 1 / 3, size=len(CASES))
    tables, draws = [], []
    for n, count in sizes:
        for draw in range(1, count + 1):
            tables.append(table(n, trained(curve, n, hardness, rng)))
            draws.append(draw)
    return tables, draws, hardness


def test_the_interval_covers_the_gain_of_a_new_draw_in_at_least_90_percent_of_the_draws():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(40):
        curve = draw_curve(rng)
        tables, draws, hardness = run(rng, curve)
        rows = label_gains(tables, draws, ["unet"]).query("`class` == ''").set_index("more")
        for more in (5, 20):
            gain = 100 * trained(curve, 8 + more, hardness, rng).mean() - rows.loc[more, "now"]
            covered.append(rows.loc[more, "low"] <= gain <= rows.loc[more, "high"])
    assert np.mean(covered) >= 0.9


def test_a_flat_curve_says_stop_and_a_steep_one_does_not():
    rng = np.random.default_rng(1)
    flat = label_gains(*run(rng, lambda n: 0.012)[:2], ["unet"])
    assert (flat["high"] < 1).all()
    assert (
        read_gain(flat.to_dict("records")[0], 1.0) == "5 more labels: stop, less than 1 points are expected"
    )
    often = ((2, 6), (4, 6), (8, 6))
    steep = label_gains(*run(rng, lambda n: 0.9 * n**-0.7, often)[:2], ["unet"])
    assert (steep.query("more >= 10")["low"] > 0).all()
    assert read_gain(steep.to_dict("records")[2], 1.0).startswith("20 more labels: +")


def test_rows_are_by_class_and_name_what_they_rest_on():
    rng = np.random.default_rng(2)
    tables = [
        table(n, rng.uniform(0.5, 0.6, len(CASES)), seed, ("a", "b")) for n in (2, 4, 8) for seed in (0, 1)
    ]
    pairs = [pd.concat(tables[place : place + 2]) for place in (0, 2, 4)]
    patients = {case: case[:2] for case in CASES}
    rows = label_gains(pairs, [1, 1, 1], ["unet", "ours_r"], patients)
    assert tuple(rows.columns) == COLUMNS
    assert list(rows["class"].unique()) == ["", "a", "b"]
    first = rows.iloc[0]
    assert tuple(first[["sizes", "repeats", "repeated", "cases"]]) == (3, 6, "seeds", 24)
    assert first["patients"] == len(set(patients.values()))
    assert "differ in their seeds only" in explain_gains(first)[-1]
    pd.testing.assert_frame_equal(rows, label_gains(pairs, [1, 1, 1], ["unet", "ours_r"], patients))


@pytest.mark.parametrize("sizes", [((4, 3), (8, 3)), ((2, 1), (4, 1), (8, 1)), ((8, 1),)])
def test_too_few_sizes_or_repeats_give_no_row(sizes):
    tables, draws, _ = run(np.random.default_rng(3), lambda n: 0.5 / n, sizes)
    assert label_gains(tables, draws, ["unet"]).empty


def test_full_supervision_has_no_curve():
    tables, draws, _ = run(np.random.default_rng(4), lambda n: 0.5 / n)
    tables = [frame.assign(method="unet_full") for frame in tables]
    assert label_gains(tables, draws, ["unet_full"]).empty


def test_one_case_is_enough_not_to_fail():
    tables, draws, _ = run(np.random.default_rng(5), lambda n: 0.5 / n)
    rows = label_gains([frame[frame["case"] == "c0"] for frame in tables], draws, ["unet"])
    assert (rows["cases"] == 1).all()
    assert np.isfinite(rows[["gain", "low", "high"]].to_numpy()).all()
