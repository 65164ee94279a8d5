"""Judgements as CSV files."""

import numpy as np
import pytest

from samcarry.errors import DamagedError
from samcarry.presence.judgement import Judged
from samcarry.presence.tables import (
    probabilities_of,
    read_judged,
    read_probabilities,
    without_absent,
    write_judged,
)

JUDGED = {
    "one": Judged(np.array([0.25, 1.0]), np.array([True, False]), np.array([False, False])),
    "two": Judged(np.array([0.5, 0.75]), np.array([False, False]), np.array([True, False])),
}


def test_judgements_are_read_in_the_order_of_the_classes(tmp_path):
    write_judged(tmp_path / "judged.csv", JUDGED, ("a", "b"))
    found = read_judged(tmp_path / "judged.csv", ("b", "a"))
    assert found["one"].probability.tolist() == [1, 0.25]
    assert found["one"].absent.tolist() == [False, True]
    assert found["two"].unsure.tolist() == [False, True]
    assert read_probabilities([tmp_path / "judged.csv"])["two", "b"] == 0.75
    assert read_probabilities([]) == {}


def test_a_table_that_lacks_a_class_is_damaged(tmp_path):
    write_judged(tmp_path / "judged.csv", JUDGED, ("a", "b"))
    with pytest.raises(DamagedError, match=r"judged\.csv"):
        read_judged(tmp_path / "judged.csv", ("a", "b", "c"))


def test_a_table_without_numbers_is_damaged(tmp_path):
    write_judged(tmp_path / "judged.csv", JUDGED, ("a", "b"))
    text = (tmp_path / "judged.csv").read_text().replace("0.250000", "often")
    (tmp_path / "judged.csv").write_text(text)
    with pytest.raises(DamagedError, match="this table is damaged"):
        read_judged(tmp_path / "judged.csv", ("a", "b"))
    with pytest.raises(DamagedError, match="this table is damaged"):
        read_probabilities([tmp_path / "judged.csv"])


def test_probabilities_of_the_presence_step_replace_the_largest_ones():
    judged = {("one", "a"): 0.25, ("one", "b"): 1.0}
    assert probabilities_of(judged, ["one"], ["b", "a"], None).tolist() == [[1, 0.25]]
    assert probabilities_of({}, ["one"], ["a"], None) is None
    largest = np.array([[0.5]])
    assert probabilities_of({}, ["one"], ["a"], largest) is largest


def test_absent_classes_are_emptied():
    values = np.full((2, 3, 4), 200, np.uint8)
    emptied = without_absent(values, np.array([True, False]))
    assert emptied.dtype == np.uint8
    assert emptied[0].max() == 0
    assert (emptied[1] == 200).all()
