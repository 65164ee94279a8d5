"""Weights of pseudo labels: from 0 (not trusted) to 1, and unchanged after writing and reading."""

import numpy as np
import pytest

from samcarry.errors import InputError
from samcarry.networks.label_weights import pseudo_weight, read_weights, write_weights


def bar(width):
    mask = np.zeros((4, 10), dtype=bool)
    mask[:, :width] = True
    return mask


def test_full_agreement_and_a_confident_sam_give_1():
    assert pseudo_weight(bar(4), bar(4), 1.0) == 1


def test_the_weight_is_agreement_times_the_dice_that_sam_expects():
    # Dice of bars of 4 and 2 columns: 2·2/6; an IoU of 0.5 is a Dice of 2/3.
    assert pseudo_weight(bar(4), bar(2), 0.5) == pytest.approx(2 / 3 * 2 / 3)


def test_an_absence_in_both_has_full_weight():
    assert pseudo_weight(bar(0), bar(0), None) == 1


@pytest.mark.parametrize(("initial", "refined"), [(0, 3), (3, 0)])
def test_a_class_present_in_only_one_of_both_has_weight_0(initial, refined):
    assert pseudo_weight(bar(initial), bar(refined), 0.9) == 0


@pytest.mark.parametrize("estimate", [-0.2, 0.0, 1.2])
def test_estimates_beyond_0_and_1_stay_within(estimate):
    assert 0 <= pseudo_weight(bar(4), bar(4), estimate) <= 1


def test_weights_are_read_by_case_and_class(tmp_path):
    write_weights(tmp_path / "a.csv", [("x", "Ulna, left", 0.25), ("x", "Radius", 1.0)])
    write_weights(tmp_path / "b.csv", [("y", "Ulna, left", 0.5), ("y", "Radius", 0.0)])
    found = read_weights(
        [tmp_path / "a.csv", tmp_path / "b.csv"], ["y", "x"], ["Radius", "Ulna, left"], labelled=0
    )
    assert found.tolist() == [[0.0, 0.5], [1.0, 0.25]]
    assert found.dtype == np.float32


def test_labelled_cases_at_the_end_count_fully(tmp_path):
    write_weights(tmp_path / "a.csv", [("x", "Ulna", 0.25)])
    found = read_weights([tmp_path / "a.csv"], ["x", "one", "two"], ["Ulna"], labelled=2)
    assert found.tolist() == [[0.25], [1.0], [1.0]]


def test_a_missing_weight_is_reported_in_one_line(tmp_path):
    write_weights(tmp_path / "a.csv", [("x", "Ulna", 0.25)])
    with pytest.raises(InputError) as caught:
        read_weights([tmp_path / "a.csv"], ["x", "y"], ["Ulna"], labelled=0)
    assert "\n" not in str(caught.value)
    assert "'y'" in str(caught.value)
