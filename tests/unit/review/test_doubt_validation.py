"""Validation of doubt: reasons that predict the error are distinguished from those that do not."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from samcarry.errors import InputError
from samcarry.review.doubt_validation import auroc, draw_evidence, evidence_table, true_errors
from samcarry.storage.stacks import Stack

NAMES = [f"c{number:02d}" for number in range(60)]


def drawn():
    rng = np.random.default_rng(0)
    errors = pd.Series(rng.random(60), index=NAMES)
    doubt = pd.DataFrame(
        {
            "case": NAMES,
            "doubt": errors.to_numpy() + rng.normal(0, 0.1, 60),
            "size": rng.random(60),
            "seeds": np.nan,
        }
    )
    return doubt.sample(frac=1, random_state=1), errors


def test_a_good_reason_differs_from_a_useless_one_and_from_an_undefined_one():
    doubt, errors = drawn()
    table = evidence_table(doubt, errors, ["size", "seeds"], ["size"]).set_index("reason")
    assert table.loc["doubt", "low"] > 0.8
    assert table.loc["doubt", "auroc"] > 0.8
    assert table.loc["size", "low"] < 0 < table.loc["size", "high"]
    assert np.isnan(table.loc["seeds", "spearman"])
    assert table["used"].tolist() == [True, True, False]


def test_an_interval_contains_its_estimate_and_is_reproducible():
    doubt, errors = drawn()
    once, again = (evidence_table(doubt, errors, ["size"], []) for _ in range(2))
    pd.testing.assert_frame_equal(once, again)
    assert ((once["low"] < once["spearman"]) & (once["spearman"] < once["high"])).all()


def test_too_few_hidden_labels_are_rejected():
    doubt, errors = drawn()
    with pytest.raises(InputError, match="only 4 unlabelled cases have hidden labels"):
        evidence_table(doubt, errors[:4], ["size"], [])


def test_the_interval_is_that_of_2000_resamples_of_cases():
    doubt, errors = drawn()
    values = doubt.set_index("case").reindex(errors.index)["size"].to_numpy()
    rng = np.random.default_rng(3)
    chosen = [rng.integers(60, size=60) for _ in range(2000)]
    ranks = [[stats.rankdata(array[places]) for array in (values, errors.to_numpy())] for places in chosen]
    expected = np.percentile([np.corrcoef(*pair)[0, 1] for pair in ranks], [2.5, 97.5])
    found = evidence_table(doubt, errors, ["size"], [], seed=3).set_index("reason").loc["size"]
    assert found[["low", "high"]].to_numpy(float) == pytest.approx(expected, abs=1e-12)


def test_constant_resamples_do_not_count():
    doubt, errors = drawn()
    doubt, errors = doubt.assign(seeds=(doubt["case"] == "c03").astype(float)), errors[:12]
    found = evidence_table(doubt, errors, ["seeds"], []).set_index("reason").loc["seeds"]
    assert found["low"] <= found["spearman"] <= found["high"]


def test_auroc_is_undefined_without_two_groups():
    assert np.isnan(auroc(np.arange(3.0), np.ones(3, bool)))
    assert np.isnan(auroc(np.arange(3.0), np.zeros(3, bool)))


def test_auroc_counts_pairs():
    assert auroc(np.array([1, 2, 3, 4.0]), np.array([False, False, True, True])) == 1
    assert auroc(np.array([1, 3, 3, 4.0]), np.array([False, True, False, True])) == pytest.approx(3.5 / 4)


def test_the_error_covers_only_classes_in_the_reference():
    truth = np.zeros((1, 2, 4, 4), np.uint8)
    truth[0, 0, :2] = 1
    refined = np.ones((1, 2, 4, 4), np.uint8)
    pair = (Stack(refined, "mask", ("a",), ("x", "y")), Stack(truth, "mask", ("a",), ("x", "y")))
    assert true_errors([pair]).to_dict() == pytest.approx({"a": 1 - 2 * 8 / 24})


def test_the_picture_is_drawn(tmp_path):
    doubt, errors = drawn()
    draw_evidence(
        tmp_path / "e.png", doubt, errors, evidence_table(doubt, errors, ["size", "seeds"], ["size"])
    )
    assert (tmp_path / "e.png").stat().st_size > 5000
