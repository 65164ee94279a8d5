"""CSV tables of the workflow: they are read as written, and damage is reported."""

import pytest

from samcarry.errors import DamagedError
from samcarry.storage.tables import read_table, write_table


def test_rows_are_read_as_written(tmp_path):
    write_table(tmp_path / "t.csv", ("case", "class"), [("ä", 'a, "b"'), ("7", "x\ny")])
    assert read_table(tmp_path / "t.csv", ("case", "class")) == [
        {"case": "ä", "class": 'a, "b"'},
        {"case": "7", "class": "x\ny"},
    ]


def test_a_table_has_unix_line_ends(tmp_path):
    write_table(tmp_path / "t.csv", ("case", "n"), [("a", 1)])
    assert (tmp_path / "t.csv").read_bytes() == b"case,n\na,1\n"


def test_a_table_may_have_no_rows_and_more_columns(tmp_path):
    write_table(tmp_path / "t.csv", ("case", "class", "weight"), [])
    assert read_table(tmp_path / "t.csv", ("weight",)) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"class\na\n", b"case,class\na\n", b"case,class\na,b,c\n", b"case\n\xff\n", b'case\n"a'],
)
def test_a_damaged_table_is_reported_in_one_line(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match="this table is damaged") as caught:
        read_table(path, ("case",))
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_reported_as_missing(tmp_path):
    with pytest.raises(DamagedError, match="there is no such file"):
        read_table(tmp_path / "t.csv", ("case",))
