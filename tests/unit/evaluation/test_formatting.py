"""Scores and tables as text: one form of mean ± deviation, and Markdown that lines up."""

import numpy as np
import pandas as pd
import pytest

from samcarry.evaluation.formatting import (
    footnote_numbers,
    format_dice,
    interval_text,
    markdown_table,
    mean_and_deviation,
    mean_and_deviation_of,
    number,
)

NAN = float("nan")


def test_an_undefined_number_is_a_dash():
    assert (number(75.449), number(0.00021, ".2g"), number(NAN)) == ("75.4", "0.00021", "–")


@pytest.mark.parametrize(
    ("mean", "deviation", "expected"),
    [
        (75.44, 8.06, "75.4 ± 8.1"),
        (75.44, NAN, "75.4"),
        (NAN, NAN, "–"),
        (NAN, 1.0, "–"),
        (50, 0, "50.0 ± 0.0"),
    ],
)
def test_a_mean_without_a_deviation_stands_alone(mean, deviation, expected):
    assert mean_and_deviation(mean, deviation) == expected


def test_the_deviation_is_that_of_a_sample_as_in_pandas():
    values = [70.0, 74.5, 81.3]
    series = pd.Series(values)
    assert mean_and_deviation_of(values) == f"{series.mean():.1f} ± {series.std():.1f}"
    assert mean_and_deviation_of(values) == f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"


def test_an_interval_follows_its_mean_in_brackets_if_there_is_one():
    assert interval_text(70.14, 80.0) == " (70.1 to 80.0)"
    assert interval_text(-1, 2.25, "+.2f") == " (-1.00 to +2.25)"
    assert interval_text(NAN, NAN) == ""


@pytest.mark.parametrize(("values", "expected"), [([], "–"), ([70.0], "70.0"), ([70.0, 70.0], "70.0 ± 0.0")])
def test_few_numbers_have_no_deviation(values, expected):
    assert mean_and_deviation_of(values) == expected


def test_dice_is_over_the_classes_that_the_reference_has():
    reference = np.zeros((3, 4, 4), dtype=bool)
    reference[:2, :2] = True
    predicted = reference.copy()
    predicted[1] = True  # Dice 2 / 3
    predicted[2] = True  # absent from the reference
    assert format_dice(reference, predicted) == "83.3 ± 23.6"
    assert format_dice(np.zeros_like(reference), predicted) == ""


def test_equal_notes_share_a_number_and_empty_ones_have_none():
    assert footnote_numbers(["b", "", "a", "b"]) == {"b": 1, "a": 2}


def test_columns_of_a_markdown_table_line_up():
    assert markdown_table(["a", "score"], [["long name", "1.0"], ["b", ""]]).splitlines() == [
        "| a         | score |",
        "| --------- | ----- |",
        "| long name | 1.0   |",
        "| b         |       |",
    ]


def test_a_long_reason_may_run_over_its_column():
    lines = markdown_table(["a", "score"], [["x", f"n/a: {'reason ' * 9}"]]).splitlines()
    assert len(lines[0]) == len(lines[1]) < len(lines[2])


def test_pipes_and_line_breaks_stay_within_their_cell():
    assert markdown_table(["a"], [["x | y\nz"]]).splitlines()[2] == r"| x \| y z |"


def test_rows_of_different_length_are_an_error():
    with pytest.raises(ValueError, match="shorter"):
        markdown_table(["a", "b"], [["only one"]])
