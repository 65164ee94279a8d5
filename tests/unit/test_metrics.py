"""Dice, and the rows of dice.csv."""

import csv

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import distance

from samcarry.metrics import COLUMNS, DiceRow, dice, dice_rows, write_dice

MASKS = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


@given(MASKS)
def test_dice_equals_scipys(pair):
    reference, predicted = pair
    assume(reference.any())
    expected = 1 - distance.dice(reference.ravel(), predicted.ravel())
    assert dice(reference, predicted) == pytest.approx(expected)


@given(MASKS)
def test_dice_is_what_the_iou_says(pair):
    reference, predicted = pair
    assume(reference.any())
    iou = (reference & predicted).sum() / (reference | predicted).sum()
    assert dice(reference, predicted) == pytest.approx(2 * iou / (1 + iou))


@given(MASKS)
def test_dice_is_symmetric_where_both_are_there(pair):
    one, other = pair
    assume(one.any() and other.any())
    assert dice(one, other) == dice(other, one)


@given(MASKS)
def test_a_mask_has_dice_1_with_itself(pair):
    assume(pair[0].any())
    assert dice(pair[0], pair[0]) == 1


def test_half_an_overlap():
    mask = np.zeros((4, 4), dtype=bool)
    other = mask.copy()
    mask[:, :2] = True
    other[:, 1:3] = True
    assert dice(mask, other) == 0.5


@pytest.mark.parametrize("predicted", [False, True])
def test_dice_is_undefined_where_the_reference_is_empty(predicted):
    assert dice(np.zeros((3, 3), dtype=bool), np.full((3, 3), predicted)) is None


def test_dice_is_0_where_a_class_is_missed():
    assert dice(np.ones((3, 3), dtype=bool), np.zeros((3, 3), dtype=bool)) == 0


REFERENCE = np.zeros((2, 2, 3, 4), dtype=bool)  # case, class, height, width
REFERENCE[0, 0, 0, :3] = True
PREDICTED = np.zeros_like(REFERENCE)
PREDICTED[0, 0, 0, 2:] = True
PREDICTED[1, 1, 2] = True


def rows():
    return dice_rows(
        REFERENCE,
        PREDICTED,
        ("a", "b"),
        ("Radius", "Ulna"),
        dataset="wrist",
        n=5,
        seed=2,
        method="unet",
    )


def test_there_is_a_row_for_each_case_and_class():
    assert [(row.case, row.class_) for row in rows()] == [
        ("a", "Radius"),
        ("a", "Ulna"),
        ("b", "Radius"),
        ("b", "Ulna"),
    ]


def test_rows_carry_what_they_are_about():
    assert {(row.dataset, row.n, row.seed, row.method) for row in rows()} == {("wrist", 5, 2, "unet")}


def test_a_row_counts_pixels_and_tells_dice():
    row = rows()[0]
    assert (row.reference_px, row.predicted_px, row.dice) == (3, 2, pytest.approx(2 / 5))


def test_a_class_drawn_where_there_is_none_is_seen_in_its_pixels():
    row = rows()[3]
    assert (row.reference_px, row.predicted_px, row.dice) == (0, 4, None)


def test_masks_and_names_of_different_number_are_an_error():
    with pytest.raises(ValueError, match="longer"):
        dice_rows(REFERENCE, PREDICTED, ("a",), ("Radius", "Ulna"), dataset="", n=1, seed=0, method="")


def test_the_columns_are_those_of_the_contract(tmp_path):
    write_dice(tmp_path / "dice.csv", rows())
    first = (tmp_path / "dice.csv").read_text().splitlines()[0]
    assert first == "dataset,n,seed,method,case,class,reference_px,predicted_px,dice"
    assert first == ",".join(COLUMNS)


def test_dice_is_written_with_six_decimals_and_empty_where_undefined(tmp_path):
    write_dice(tmp_path / "dice.csv", rows())
    assert (tmp_path / "dice.csv").read_bytes().decode().split("\n") == [
        ",".join(COLUMNS),
        "wrist,5,2,unet,a,Radius,3,2,0.400000",
        "wrist,5,2,unet,a,Ulna,0,0,",
        "wrist,5,2,unet,b,Radius,0,0,",
        "wrist,5,2,unet,b,Ulna,0,4,",
        "",
    ]


def test_names_with_commas_and_umlauts_come_back(tmp_path):
    row = DiceRow("d", 1, 0, "unet", 'a,"b"', "Zähne, oben", 1, 1, 1.0)
    write_dice(tmp_path / "dice.csv", [row])
    with (tmp_path / "dice.csv").open(encoding="utf-8", newline="") as stream:
        (back,) = csv.DictReader(stream)
    assert (back["case"], back["class"]) == ('a,"b"', "Zähne, oben")
