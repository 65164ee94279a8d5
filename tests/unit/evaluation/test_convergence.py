"""Trainings that were cut short are noticed, and noise is not taken for a fall of the loss."""

import numpy as np
import pandas as pd
import pytest

from samcarry.evaluation.convergence import STILL_FALLING, not_converged, still_falling
from support.dice_tables import table


def losses(before, last, noise=0.0, tenth=30):
    """Ten tenths of training; the last two have these means."""
    values = np.repeat([0.7] * 8 + [before, last], tenth)
    return values * np.exp(noise * np.random.default_rng(1).standard_normal(values.size))


def test_a_loss_that_falls_at_the_end_is_still_falling():
    assert still_falling(losses(0.10, 0.08)) == pytest.approx(0.2)
    assert still_falling(np.geomspace(1, 1e-3, 300)) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("last", [0.1, 0.1 * (1 - STILL_FALLING) + 1e-6, 0.2])
def test_a_loss_that_hardly_falls_or_rises_is_not(last):
    assert still_falling(losses(0.1, last)) == 0


def test_a_fall_within_the_noise_is_none():
    assert still_falling(losses(0.100, 0.085, noise=0.9)) == 0
    assert still_falling(losses(0.100, 0.050, noise=0.2)) > 0.3


def test_a_short_curve_says_nothing():
    assert still_falling(np.geomspace(1, 0.1, 49)) == 0
    assert still_falling(np.array([])) == 0


@pytest.fixture
def curve(tmp_path):
    """A function that writes a training.csv."""

    def write(name, values):
        frame = pd.DataFrame({"iteration": range(len(values)), "learning_rate": 0.1, "loss": values})
        frame.to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return write


def rows(*pixels):
    """Rows of `unet` with these numbers of predicted pixels for the seeds, and a good `ours_r`."""
    drawn = [("unet", seed, "a", "Ulna", 9, count, 0.5) for seed, count in enumerate(pixels)]
    return table(*drawn, ("ours_r", 0, "a", "Ulna", 9, 9, 0.5))


def test_methods_that_have_converged_are_not_mentioned(curve):
    flat = curve("training.csv", losses(0.1, 0.1))
    assert not_converged(rows(9), {"unet": [flat], "ours_r": [flat]}) == {}


def test_a_method_says_how_many_of_its_trainings_had_not_converged(curve):
    curves = [curve("one.csv", losses(0.10, 0.08)), curve("two.csv", losses(0.1, 0.1))]
    text = "its loss still falls, by 20 % over the last tenth of training (1 of 2 trainings)"
    assert not_converged(rows(9, 9), {"unet": curves}) == {"unet": f"not converged: {text}"}


def test_a_method_that_predicts_nothing_has_not_converged():
    assert not_converged(rows(0), {}) == {"unet": "not converged: it predicts nothing at all"}
    assert not_converged(rows(0, 3, 0), {})["unet"].endswith("nothing at all (2 of 3 seeds)")


def test_both_reasons_are_given(curve):
    falls = curve("one.csv", losses(0.10, 0.08))
    text = not_converged(rows(0), {"unet": [falls]})["unet"]
    assert "nothing at all; its loss still falls, by 20 %" in text
