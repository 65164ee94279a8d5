"""Rows of cases.csv for imported data: counts, a sheet, and splits from files."""

from pathlib import Path

import pytest

from samcarry.data.case_table import (
    COUNT_ORDER,
    case_rows,
    read_case_sheet,
    split_by_counts,
    write_case_rows,
)
from samcarry.data.contract import SPLITS
from samcarry.errors import InputError

FILES = {name: Path(f"{name}.png") for name in "abc"}


def row(case, split="", order="", patient=""):
    return {"case": case, "patient": patient, "split": split, "order": order}


def test_counts_name_every_split_once():
    assert sorted(COUNT_ORDER) == sorted(SPLITS)


def test_counts_take_cases_in_the_order_of_the_numbers_in_their_names():
    rows = split_by_counts(["p10", "p9", "p1", "p2"], {"train": 2, "test": 1, "unlabelled": 1})
    assert rows == {
        "p1": {"split": "train", "order": "1"},
        "p2": {"split": "train", "order": "2"},
        "p9": {"split": "unlabelled", "order": ""},
        "p10": {"split": "test", "order": ""},
    }


def test_counts_must_add_up():
    with pytest.raises(InputError, match="add up to 3, but 2 images are annotated"):
        split_by_counts(["a", "b"], {"train": 3})


def test_a_sheet_reports_cases_without_an_image(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text("case,split,sex\na,train,f\nz,val,m\n")
    faults = []
    rows, missing = read_case_sheet(path, FILES, faults)
    assert (rows["a"], missing, faults) == ({"case": "a", "split": "train", "sex": "f"}, ["z"], [])


def test_a_sheet_takes_precedence_over_splits_from_files():
    rows = case_rows(
        FILES, ["a", "b"], {"a": "train", "b": "train"}, {"b": {"split": "val"}}, "sheet.csv", []
    )
    assert rows == [row("a", "train"), row("b", "val"), row("c", "unlabelled")]


def test_without_any_split_the_column_stays_empty():
    assert case_rows(FILES, ["a"], {"a": ""}, {}, "sheet.csv", []) == [row("a"), row("b"), row("c")]


def test_the_size_of_pixels_and_the_group_of_a_sheet_are_kept(tmp_path):
    known = {"b": {"spacing": "0.14", "site": "north", "sex": "f"}}
    rows = case_rows(FILES, ["a", "b"], {}, known, "sheet.csv", [])
    assert rows[1] == row("b") | {"spacing": "0.14", "site": "north"}
    write_case_rows(tmp_path / "cases.csv", rows, dict.fromkeys(FILES, ""))
    assert (tmp_path / "cases.csv").read_text() == "case,spacing,site\na,,\nb,0.14,north\nc,,\n"


def test_labels_and_splits_must_match():
    faults = []
    case_rows(FILES, ["a", "b"], {}, {"a": {"split": "train"}, "c": {"split": "test"}}, "sheet.csv", faults)
    assert len(faults) == 2
    assert all(line.startswith("sheet.csv: ") for line in faults)
    assert "annotated case 'b'" in faults[0]
    assert "'c' is in test but is not annotated" in faults[1]


def test_empty_columns_are_not_written(tmp_path):
    write_case_rows(
        tmp_path / "cases.csv", [row("a", "train"), row("b", "val")], {"a": "a.png", "b": "b.tif"}
    )
    assert (tmp_path / "cases.csv").read_text() == "case,split\na,train\nb,val\n"
