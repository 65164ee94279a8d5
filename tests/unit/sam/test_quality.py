"""SAM's IoU estimates: written for present classes, and NaN for absent ones when read."""

import csv
import math

import numpy as np
import pytest

from samcarry.errors import DamagedError
from samcarry.sam.quality import Refined, read_estimates, read_quality, write_quality


def refined():
    """Two cases with two classes; in case 'a' the second class is absent."""
    masks = np.zeros((2, 1, 1), dtype=bool)
    return {
        "a": Refined(masks, np.array([0.5, np.nan], np.float32)),
        "b": Refined(masks, np.array([0.25, 1], np.float32)),
    }


def test_quality_is_written_for_present_classes_only(tmp_path):
    write_quality(tmp_path / "q.csv", refined(), ["Radius", "Ulna"])
    with (tmp_path / "q.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [
            ["case", "class", "iou"],
            ["a", "Radius", "0.5000"],
            ["b", "Radius", "0.2500"],
            ["b", "Ulna", "1.0000"],
        ]


def test_estimates_are_read_by_case_and_class(tmp_path):
    write_quality(tmp_path / "q.csv", refined(), ["Radius", "Ulna"])
    assert read_estimates(tmp_path / "q.csv") == {
        ("a", "Radius"): 0.5,
        ("b", "Radius"): 0.25,
        ("b", "Ulna"): 1.0,
    }


def test_quality_is_read_in_the_order_of_the_classes_with_nan_for_absent_ones(tmp_path):
    write_quality(tmp_path / "q.csv", refined(), ["Radius", "Ulna"])
    quality = read_quality(tmp_path / "q.csv", ["Ulna", "Radius"])
    assert quality["b"] == [1.0, 0.25]
    assert math.isnan(quality["a"][0])
    assert quality["a"][1] == 0.5


def test_a_damaged_table_is_reported(tmp_path):
    (tmp_path / "q.csv").write_text("case,class\n")
    with pytest.raises(DamagedError, match="iou"):
        read_estimates(tmp_path / "q.csv")
