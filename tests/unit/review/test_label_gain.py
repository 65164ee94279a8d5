"""Gain from more labels: what each draw adds, how it is scored, and gains per ten cases."""

import numpy as np
import pytest

from samcarry.review.label_gain import (
    CaseScore,
    added_cases,
    case_scores,
    gain_table,
    read_ranked_cases,
    write_gain,
)
from samcarry.storage.stacks import Stack

NAMES = [f"c{number:02d}" for number in range(60)]


def test_draws_add_the_same_number_and_random_ones_do_not_depend_on_the_ranking():
    assert added_cases("none", NAMES, 10) == []
    assert added_cases("doubtful", NAMES, 10) == NAMES[:10]
    one = added_cases("random0", NAMES, 10)
    assert one == added_cases("random0", NAMES[::-1], 10)
    assert len(set(one)) == 10
    assert one != added_cases("random1", NAMES, 10)


def test_only_cases_with_hidden_labels_are_ranked(tmp_path):
    (tmp_path / "doubt.csv").write_text("case,rank\nb,1\na,2\nc,3\n")
    assert read_ranked_cases(tmp_path / "doubt.csv", ["a", "b"]) == ["b", "a"]


def test_gains_are_points_over_no_added_case_and_given_per_ten_cases(tmp_path):
    scores = [
        CaseScore(draw, added, seed, case, value)
        for draw, added, value in (("none", 0, 0.5), ("doubtful", 5, 0.6))
        for seed in (0, 1)
        for case in ("a", "b")
    ]
    none, doubtful = gain_table(scores)
    assert (none.gain, none.gain_per_ten) == (0, None)
    assert (doubtful.seeds, doubtful.cases) == (2, 2)
    assert doubtful.gain == pytest.approx(10)
    assert doubtful.gain_per_ten == pytest.approx(20)
    write_gain(tmp_path / "gain.csv", [none, doubtful])
    assert (tmp_path / "gain.csv").read_text().splitlines()[1] == "none,0,2,2,50.0,0.0,"


def test_scores_are_assigned_by_name_and_not_by_position():
    images = Stack(np.zeros((2, 4, 4), np.uint8), "image", ("a", "b"))
    truth = Stack(np.ones((1, 1, 4, 4), np.uint8), "mask", ("b",), ("x",))
    predicted = np.stack([np.zeros((1, 4, 4)), np.full((1, 4, 4), 255)]).astype(np.uint8)
    (score,) = case_scores(images, truth, predicted, draw="none", added=0, seed=0)
    assert (score.case, score.dice) == ("b", 1)
