"""How often chance gives a disagreement."""

import numpy as np

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


def test_a_disagreement_in_a_difficult_case_is_less_surprising():
    gains = np.random.default_rng(0).exponential(0.3, (50, 8))
    gains[0] = 2.0
    null = measure_null(gains, np.ones(50, dtype=bool))
    assert null.chance_of_classes(0, [3], 5.0) > 10 * null.chance_of_classes(1, [3], 5.0)


def test_as_many_stand_out_as_chance_explains_at_most_the_share_of():
    assert count_standing_out([0.01, 0.2, 0.9, 1.9, 30.0], 0.5) == 4
    assert count_standing_out([0.01, 0.2, 0.9, 1.9, 30.0], 0.05) == 1
    assert count_standing_out([0.8, 3.0], 0.5) == 0
    assert count_standing_out([0.3, 0.4, 0.5], 0.5) == 0  # chance may explain the strongest one
    assert count_standing_out([], 0.5) == 0
