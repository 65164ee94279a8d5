"""Evidence: signs that foretell the error are told from those that do not; gains are told per ten cases."""

import numpy as np
import pandas as pd
import pytest

from samcarry.errors import InputError
from samcarry.review.doubt_validation import auroc, draw_evidence, evidence_table, true_errors
from samcarry.review.label_gain import (
    CaseScore,
    added_cases,
    case_scores,
    gain_table,
    read_ranking,
    write_gain,
)
from samcarry.storage.stacks import Stack

NAMES = [f"c{number:02d}" for number in range(60)]


def drawn():
    chance = np.random.default_rng(0)
    errors = pd.Series(chance.random(60), index=NAMES)
    doubt = pd.DataFrame({"case": NAMES, "doubt": errors.to_numpy() + chance.normal(0, 0.1, 60),
                          "size": chance.random(60), "seeds": np.nan})  # fmt: skip
    return doubt.sample(frac=1, random_state=1), errors


def test_a_good_sign_is_told_from_a_useless_one_and_from_one_that_says_nothing():
    doubt, errors = drawn()
    table = evidence_table(doubt, errors, ["size", "seeds"], ["size"]).set_index("reason")
    assert table.loc["doubt", "low"] > 0.8
    assert table.loc["doubt", "auroc"] > 0.8
    assert table.loc["size", "low"] < 0 < table.loc["size", "high"]
    assert np.isnan(table.loc["seeds", "spearman"])
    assert table["used"].tolist() == [True, True, False]


def test_an_interval_holds_its_estimate_and_the_seed_gives_it_again():
    doubt, errors = drawn()
    once, again = (evidence_table(doubt, errors, ["size"], []) for _ in range(2))
    pd.testing.assert_frame_equal(once, again)
    assert ((once["low"] < once["spearman"]) & (once["spearman"] < once["high"])).all()


def test_too_few_hidden_labels_are_refused():
    doubt, errors = drawn()
    with pytest.raises(InputError, match="only 4 unlabelled cases have hidden labels"):
        evidence_table(doubt, errors[:4], ["size"], [])


def test_auroc_counts_pairs():
    assert auroc(np.array([1, 2, 3, 4.0]), np.array([False, False, True, True])) == 1
    assert auroc(np.array([1, 3, 3, 4.0]), np.array([False, True, False, True])) == pytest.approx(3.5 / 4)


def test_the_error_is_that_of_classes_the_reference_has():
    truth = np.zeros((1, 2, 4, 4), np.uint8)
    truth[0, 0, :2] = 1
    refined = np.ones((2, 2, 4, 4), np.uint8)
    pair = (Stack(truth, "mask", ("a",), ("x", "y")), Stack(refined, "mask", ("b", "a"), ("x", "y")))
    assert true_errors([pair]).to_dict() == pytest.approx({"a": 1 - 2 * 8 / 24})


def test_the_picture_is_drawn(tmp_path):
    doubt, errors = drawn()
    draw_evidence(
        tmp_path / "e.png", doubt, errors, evidence_table(doubt, errors, ["size", "seeds"], ["size"])
    )
    assert (tmp_path / "e.png").stat().st_size > 5000


def test_draws_add_as_many_and_random_ones_do_not_follow_the_ranking():
    assert added_cases("none", NAMES, 10) == []
    assert added_cases("doubtful", NAMES, 10) == NAMES[:10]
    one = added_cases("random0", NAMES, 10)
    assert one == added_cases("random0", NAMES[::-1], 10)
    assert len(set(one)) == 10
    assert one != added_cases("random1", NAMES, 10)


def test_only_cases_with_hidden_labels_can_be_corrected_in_the_study(tmp_path):
    (tmp_path / "doubt.csv").write_text("case,rank\nb,1\na,2\nc,3\n")
    assert read_ranking(tmp_path / "doubt.csv", ["a", "b"]) == ["b", "a"]


def test_gains_are_points_above_nothing_added_and_told_per_ten(tmp_path):
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


def test_scores_go_by_name_and_not_by_place():
    images = Stack(np.zeros((2, 4, 4), np.uint8), "image", ("a", "b"))
    truth = Stack(np.ones((1, 1, 4, 4), np.uint8), "mask", ("b",), ("x",))
    predicted = np.stack([np.zeros((1, 4, 4)), np.full((1, 4, 4), 255)]).astype(np.uint8)
    (score,) = case_scores(images, truth, predicted, draw="none", added=0, seed=0)
    assert (score.case, score.dice) == ("b", 1)
