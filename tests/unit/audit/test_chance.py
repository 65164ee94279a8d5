"""How often chance gives a disagreement."""

import numpy as np
import pytest

from samcarry.audit.chance import count_standing_out, fit_tail, measure_null


def test_the_tail_of_an_exponential_distribution_is_found():
    values = np.random.default_rng(0).exponential(2.0, 20000)
    tail = fit_tail(values, 0.5, 0.8, 0.1)
    for value in (4.0, 8.0, 12.0):
        assert 0.8 < tail.chance(value) / np.exp(-value / 2) < 1.25


def test_errors_in_a_tenth_of_the_values_hardly_move_it():
    rng = np.random.default_rng(0)
    clean = rng.exponential(1.0, 2000)
    spoilt = np.concatenate([clean[:1800], np.full(200, 50.0)])
    chances = [fit_tail(values, 0.5, 0.8, 0.1).chance(8.0) for values in (clean, spoilt)]
    assert chances[1] < 20 * chances[0]


def test_no_values_give_a_tail_of_the_least_scale():
    assert fit_tail(np.empty(0), 0.5, 0.8, 1.0).chance(3.0) == np.exp(-3.0)


def test_classes_that_disagree_together_are_likelier_where_whole_cases_are_difficult():
    rng = np.random.default_rng(0)
    alone = rng.exponential(1.0, (200, 8))
    together = rng.exponential(1.0, (200, 1)) + rng.exponential(0.1, (200, 8))
    trusted = np.ones(200, dtype=bool)
    nulls = [measure_null(gains, gains.sum(axis=1), trusted) for gains in (alone, together)]
    assert nulls[1].chance_of_classes(4, 20.0) > 10 * nulls[0].chance_of_classes(4, 20.0)
    assert nulls[0].chance_of_classes(1, 5.0) == pytest.approx(nulls[0].chance_of_class(5.0), rel=0.5)


def test_as_many_stand_out_as_chance_explains_at_most_the_share_of():
    assert count_standing_out([0.01, 0.2, 0.9, 1.9, 30.0], 0.5) == 4
    assert count_standing_out([0.01, 0.2, 0.9, 1.9, 30.0], 0.05) == 1
    assert count_standing_out([0.8, 3.0], 0.5) == 0
    assert count_standing_out([0.3, 0.4, 0.5], 0.5) == 0  # chance may explain the strongest one
    assert count_standing_out([], 0.5) == 0
