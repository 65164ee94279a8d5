"""Marks from the review page: which cases they put into a task, and what is wrong with a file."""

import pytest

from samcarry.errors import InputError
from samcarry.review.marks import read_sent

RANKING = ["c", "a", "b"]
CASES = {*RANKING, "labelled"}


def write(path, *rows):
    path.write_text("\n".join(["case,class,mark", *rows, ""]))
    return path


def test_cases_sent_to_cvat_keep_the_order_of_the_ranking(tmp_path):
    rows = ["a,,send to CVAT", "b,Radius,fine", "c,Radius,send to CVAT", "c,Ulna,fine"]
    assert read_sent(write(tmp_path / "review.csv", *rows), RANKING, CASES) == ["c", "a"]


def test_cases_that_have_been_labelled_since_are_left_out(tmp_path):
    rows = ["labelled,,send to CVAT", "b,,send to CVAT"]
    assert read_sent(write(tmp_path / "review.csv", *rows), RANKING, CASES) == ["b"]


def test_all_faults_are_reported_at_once(tmp_path):
    path = write(tmp_path / "review.csv", "a,,good", "x,,fine")
    with pytest.raises(InputError) as fault:
        read_sent(path, RANKING, CASES)
    unknown, stranger, none = str(fault.value).splitlines()
    assert unknown == f"{path}: unknown mark 'good'; use fine, wrong, send to CVAT"
    assert "not a case of this data set: x" in stranger
    assert "no case is marked 'send to CVAT'" in none


def test_another_table_is_refused(tmp_path):
    (tmp_path / "review.csv").write_text("case,doubt\na,1\n")
    with pytest.raises(InputError, match="has no column 'class'"):
        read_sent(tmp_path / "review.csv", RANKING, CASES)
