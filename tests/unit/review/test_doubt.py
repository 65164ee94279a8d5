"""Doubt: each reason reacts to its fault, ranks do not depend on units, and reasons are given as text."""

import math

import numpy as np
import pandas as pd
import pytest

from samcarry.review.doubt import (
    REASONS,
    doubt_and_ranks,
    doubt_by_class,
    expected_shapes,
    measure_case,
    measure_rows,
    rank_by_doubt,
    read_measures,
    read_ranking,
    reason_text,
    write_measures,
    write_ranking,
)
from samcarry.sam.quality import read_quality

CLASSES = ("Radius", "Ulna")


def square(top, left, side=8):
    mask = np.zeros((40, 40), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def case(shift=0, side=8):
    return np.stack([square(4 + shift, 4, side), square(4 + shift, 24, side)])


EXPECTED = expected_shapes([case(shift, side) for shift, side in ((0, 8), (1, 7), (2, 9))], 2)


def measured(probabilities=None, refined=None, quality=(0.9, 0.9), others=()):
    refined = case(1) if refined is None else refined
    first = refined if probabilities is None else probabilities
    seeds = [(255 * seed).astype(np.uint8) for seed in (first, *others)]
    return measure_case(seeds, refined, quality, EXPECTED)


def test_a_case_like_the_labelled_ones_raises_no_doubt():
    found = measured(others=[case(1)])
    for reason in ("agreement", "thrown_away", "seeds"):
        assert found[reason] == pytest.approx([0, 0])
    assert found["sam_quality"] == pytest.approx([0.1, 0.1])
    assert (found["size"] < 1).all()
    assert (found["position"] < 1).all()


@pytest.mark.parametrize(
    ("reason", "odd"),
    [
        ("sam_quality", {"quality": (0.4, 0.9)}),
        ("agreement", {"probabilities": np.stack([square(9, 4), case(1)[1]])}),
        ("thrown_away", {"probabilities": np.stack([case(1)[0] | square(30, 4), case(1)[1]])}),
        ("presence", {"refined": np.stack([square(0, 0, 0), case(1)[1]])}),
        ("size", {"refined": np.stack([square(5, 4, 20), case(1)[1]])}),
        ("position", {"refined": np.stack([square(30, 4), case(1)[1]])}),
        ("seeds", {"others": [np.stack([square(9, 4), case(1)[1]])]}),
    ],
)
def test_each_reason_increases_only_in_the_faulty_class(reason, odd):
    usual, found = measured(others=[case(1)])[reason], measured(**odd)[reason]
    assert found[0] > usual[0] + 0.1
    assert found[1] == pytest.approx(usual[1])


def test_a_class_that_no_labelled_case_has_is_unexpected():
    expected = expected_shapes([np.stack([square(4, 4), square(0, 0, 0)])] * 4, 2)
    both = measure_case([case().astype(np.uint8) * 255], case(), (1, 1), expected)
    assert both["presence"] == pytest.approx([-math.log(5 / 6), -math.log(1 / 6)])
    assert np.isnan(both["size"][1])


def test_only_presence_is_defined_for_an_absent_class():
    found = measured(refined=np.stack([square(0, 0, 0), case()[1]]), quality=(np.nan, 0.9))
    assert {reason for reason in REASONS if np.isnan(found[reason][0])} == set(REASONS) - {"presence"}


def test_disagreement_of_seeds_is_undefined_for_one_seed():
    assert np.isnan(measured()["seeds"]).all()


def table(**columns):
    fixed = {"case": ["007", "b", "c", "d"], "class": "Radius", "area": 0.1}
    return pd.DataFrame(fixed | dict.fromkeys(REASONS, np.nan) | columns)


def test_doubt_depends_on_ranks_and_not_on_units():
    values = table(size=[1, 2, 3, 4.0], agreement=[0.1, 0.2, 0.3, 0.4])
    stretched = values.assign(size=np.exp(values["size"]))
    doubt, ranks = doubt_and_ranks(values, ["size", "agreement"])
    assert doubt.tolist() == [0.125, 0.375, 0.625, 0.875]
    assert doubt_and_ranks(stretched, ["size", "agreement"])[0].equals(doubt)
    assert list(ranks) == ["size", "agreement"]


def test_unused_and_undefined_reasons_change_nothing():
    values = table(size=[1, 2, 3, 4.0], presence=[9, 1, 1, 1.0])
    assert doubt_and_ranks(values, ["size", "seeds"])[0].tolist() == [0.125, 0.375, 0.625, 0.875]


def test_a_case_without_any_mask_comes_first():
    ranked = rank_by_doubt(table(size=[np.nan, 2, 3, 4.0]), ["size"])
    assert ranked["case"][0] == "007"
    assert ranked["reason"][0] == "nothing was found in this image"


def test_a_ranking_can_be_read_back_with_its_reasons(tmp_path):
    rows = measure_rows("007", CLASSES, measured(quality=(0.4, 0.9)), case())
    rows += measure_rows("None", CLASSES, measured(), case())
    write_measures(tmp_path / "a.csv", rows)
    measures = read_measures([tmp_path / "a.csv"])
    ranked = rank_by_doubt(measures, ["sam_quality", "size"])
    write_ranking(tmp_path / "doubt.csv", ranked)
    again = read_ranking(tmp_path / "doubt.csv")
    assert list(again["case"]) == ["007", "None"]
    assert list(again["rank"]) == [1, 2]
    assert again["reason"][0].startswith("Radius: SAM rates its own mask at only 0.40")
    assert list(again) == ["case", "rank", "doubt", *REASONS, "reason"]


def test_a_class_is_ranked_within_the_class():
    measures = pd.concat(
        [table(size=[1, 2, 3, 4.0]), table(size=[90, 80, 70, 60.0]).assign(**{"class": "Ulna"})]
    )
    found = doubt_by_class(measures.reset_index(drop=True), ["size"])
    worst = found.sort_values("doubt").groupby("class")["case"].last()
    assert worst.to_dict() == {"Radius": "d", "Ulna": "007"}


def test_presence_is_explained_for_missing_and_for_unexpected_classes():
    assert reason_text("presence", "Ulna", -math.log(0.1), 0) == (
        "Ulna is missing, though about 90 % of labelled cases have it"
    )
    assert reason_text("presence", "Ulna", -math.log(0.1), 0.2) == (
        "Ulna is drawn, though only about 10 % of labelled cases have it"
    )


def test_quality_of_absent_classes_is_unknown(tmp_path):
    (tmp_path / "q.csv").write_text("case,class,iou\na,Ulna,0.5\n")
    found = read_quality(tmp_path / "q.csv", CLASSES)
    assert math.isnan(found["a"][0])
    assert found["a"][1] == 0.5
