"""Cells of CSV files: no text of a user becomes a formula, and each is read as it was."""

import csv
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samcarry.formats.class_tables import read_class_table, write_class_table
from samcarry.storage.cells import guarded, unguarded
from samcarry.storage.frames import concatenate, read_frame, write_frame
from samcarry.storage.sheets import read_sheet
from samcarry.storage.tables import read_table, write_table
from support.paths import SCRIPTS

FORMULAS = [
    "=1+1",
    "+cmd",
    "-cmd",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "'=1",
    "''=1",
    "＝1",
    "-1+1",
    "=",
]
HARMLESS = ["", "a", "'", "'a", "a=1", "it's", "-1.5", "+2", "-1e-05", "-inf", "nan", "é", "10%"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text):
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_and_other_texts_stay_as_they_are(text):
    assert guarded(text) == unguarded(text) == text


@given(st.text(alphabet="'=+-@\t\r\n 1e.a") | st.text())
def test_every_text_is_read_as_it_was(text):
    cell = guarded(text)
    assert unguarded(cell) == text
    assert not re.match(r"[=+\-@\t\r\n]", cell) or (cell == text and float(cell) is not None)


def cells(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return [cell for row in csv.reader(stream) for cell in row]


def assert_no_formula(path):
    assert not [cell for cell in cells(path) if cell in FORMULAS and not cell.startswith("'")]


def test_a_table_has_no_formulas_and_is_read_as_it_was(tmp_path):
    path = tmp_path / "t.csv"
    rows = [[text, "-1.5"] for text in (*FORMULAS, *HARMLESS)]
    write_table(path, ["=case", "value"], rows)
    assert_no_formula(path)
    assert [[*row.values()] for row in read_table(path, ["=case", "value"])] == rows


def test_numbers_of_a_table_are_written_as_numbers(tmp_path):
    write_table(tmp_path / "t.csv", ["value"], [[-1.5], ["-2.50"]])
    assert (tmp_path / "t.csv").read_text() == "value\n-1.5\n-2.50\n"


def test_a_frame_has_no_formulas_and_is_read_as_it_was(tmp_path):
    path = tmp_path / "t.csv"
    texts = [text for text in (*FORMULAS, *HARMLESS) if text.isprintable()]  # as names are
    frame = pd.DataFrame({"=case": texts, "value": [-1.5] * len(texts), "count": [-2] * len(texts)})
    write_frame(path, frame)
    assert_no_formula(path)
    back = read_frame(path, ["=case"])
    assert back["=case"].tolist() == texts
    assert set(back["value"]) == {-1.5}
    assert set(back["count"]) == {-2}
    write_frame(tmp_path / "all.csv", concatenate([path]))
    assert (tmp_path / "all.csv").read_bytes() == path.read_bytes()


def test_a_sheet_that_a_person_saved_again_is_read_as_it_was(tmp_path):
    path = tmp_path / "t.csv"
    write_table(path, ["case", "+class"], [["=1", "'-a"], ["-1.5", "@x"]])
    assert read_sheet(path) == [{"case": "=1", "+class": "'-a"}, {"case": "-1.5", "+class": "@x"}]


def test_classes_are_no_formulas(tmp_path):
    write_class_table(tmp_path / "classes.csv", ["=bone", "-skin"])
    assert_no_formula(tmp_path / "classes.csv")
    assert "'=bone" in cells(tmp_path / "classes.csv")
    assert read_class_table(tmp_path / "classes.csv").numbers == {0: None, 1: "=bone", 2: "-skin"}


def test_only_the_guarded_writers_write_csv():
    writers = re.compile(r"csv\.(?:writer|DictWriter)|\.to_csv\(")
    found = {
        file.relative_to(SCRIPTS).as_posix()
        for file in Path(SCRIPTS).rglob("*.py")
        if writers.search(file.read_text(encoding="utf-8"))
    }
    assert found == {"samcarry/storage/tables.py", "samcarry/storage/frames.py"}
