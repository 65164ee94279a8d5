"""How many more labels: the interval covers the gain of a new draw, and too few sizes give no row."""

import numpy as np
import pandas as pd
import pytest

from samcarry.evaluation.label_curve import COLUMNS, explain_gains, label_gains, read_gain

CASES = [f"c{number}" for number in range(24)]
DRAW_SPREAD, SEED_SPREAD, CASE_SPREAD = 0.06, 0.03, 0.1
"""Of the error, as shares of it: of draws at eight labels, of trainings, and of a case in a training."""

CURVES = {
    "power": lambda x, steep, left: left + (1 - left) * x**-steep,
    "exponential": lambda x, steep, left: left + (1 - left) * np.exp(steep * (1 - x)),
    "logarithm": lambda x, steep, left: 1 - 0.2 * steep * np.log(x),
    "flat": lambda x, steep, left: 1.0,
}
"""Errors at x times eight labels, by the error at eight."""


def draw_curve(rng):
    """A learning curve of the error 1 - Dice, as networks with few labels have: 0.08 to 0.4 at 8 labels."""
    shape = CURVES[rng.choice(list(CURVES))]
    steep, left = rng.uniform(0.2, 1), rng.uniform(0, 0.8)
    level = min(rng.uniform(0.08, 0.4), 0.75 / shape(0.25, steep, left))
    return lambda n: level * shape(n / 8, steep, left)


class World:
    """Trainings on nested subsets of cases, each of which has an effect of its own."""

    def __init__(self, rng, curve):
        self.rng, self.curve = rng, curve
        self.effects = DRAW_SPREAD * np.sqrt(8) * rng.standard_normal(200)
        self.hardness = rng.gamma(3, 1 / 3, size=len(CASES))
        self.hardness /= self.hardness.mean()

    def trained(self, labelled):
        """Dice by case of a training with these labelled cases."""
        spread = self.effects[labelled].mean() + SEED_SPREAD * self.rng.standard_normal()
        error = self.curve(len(labelled)) * (1 + spread) * self.hardness
        return 1 - np.clip(error * (1 + CASE_SPREAD * self.rng.standard_normal(len(CASES))), 0.001, 0.999)

    def run(self, sizes=((2, 3), (4, 3), (8, 1))):
        """The tables and draws of (n, number of draws); the first draw is the given order."""
        largest = max(n for n, _ in sizes)
        orders = [np.arange(largest)] + [self.rng.permutation(largest) for _ in range(9)]
        subsets = [(orders[draw][:n], draw + 1) for n, count in sizes for draw in range(count)]
        return [table(len(own), self.trained(own)) for own, _ in subsets], [draw for _, draw in subsets]

    def width_of_oracle(self, more):
        """Of the 95 % interval of the gain in points, if the curve and all spreads are known."""
        now, later = self.curve(8), self.curve(8 + more)
        of_draws, apart = DRAW_SPREAD**2, SEED_SPREAD**2 + CASE_SPREAD**2 / len(CASES)
        shared = of_draws * 8 / (8 + more)
        variance = now**2 * (of_draws + apart) + later**2 * (shared + apart) - 2 * now * later * shared
        return 100 * 2 * 1.96 * np.sqrt(variance)


def table(n, dice, seed=0, classes=("a",)):
    rows = [
        ("demo", n, seed, "unet", case, name, value)
        for case, value in zip(CASES, dice, strict=True)
        for name in classes
    ]
    return pd.DataFrame(rows, columns=["dataset", "n", "seed", "method", "case", "class", "dice"])


def run(rng, curve, **options):
    return World(rng, curve).run(**options)


def test_the_interval_covers_the_true_gain_in_90_percent_of_the_draws_and_is_not_much_wider_than_needed():
    rng = np.random.default_rng(0)
    covered, widths, errors = [], [], []
    for _ in range(300):
        world = World(rng, draw_curve(rng))
        rows = label_gains(*world.run(), ["unet"]).query("`class` == ''").set_index("more")
        for more in (5, 20):
            row = rows.loc[more]
            gain = 100 * world.trained(np.arange(8 + more)).mean() - row["now"]
            covered.append(row["low"] <= gain <= row["high"])
            widths.append((row["high"] - row["low"]) / world.width_of_oracle(more))
            errors.append(row["gain"] - gain)
    assert np.mean(covered) >= 0.9
    assert np.median(widths) <= 2
    assert abs(np.mean(errors)) <= 1


def test_a_flat_curve_says_stop_and_a_steep_one_does_not():
    rng = np.random.default_rng(1)
    flat = label_gains(*run(rng, lambda n: 0.012), ["unet"])
    assert (flat["high"] < 1).all()
    assert (
        read_gain(flat.to_dict("records")[0], 1.0) == "5 more labels: stop, less than 1 points are expected"
    )
    steep = label_gains(*run(rng, lambda n: 0.9 * n**-0.7), ["unet"])
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
    tables, draws = run(np.random.default_rng(3), lambda n: 0.5 / n, sizes=sizes)
    assert label_gains(tables, draws, ["unet"]).empty


def test_full_supervision_has_no_curve():
    tables, draws = run(np.random.default_rng(4), lambda n: 0.5 / n)
    tables = [frame.assign(method="unet_full") for frame in tables]
    assert label_gains(tables, draws, ["unet_full"]).empty


def test_one_case_is_enough_not_to_fail():
    tables, draws = run(np.random.default_rng(5), lambda n: 0.5 / n)
    rows = label_gains([frame[frame["case"] == "c0"] for frame in tables], draws, ["unet"])
    assert (rows["cases"] == 1).all()
    assert np.isfinite(rows[["gain", "low", "high"]].to_numpy()).all()
