"""CSV sheets from people: separators, byte order marks and blank lines of spreadsheet programs."""

import pytest

from samcarry.errors import InputError
from samcarry.storage.sheets import read_sheet


def sheet(folder, content):
    path = folder / "cases.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "case,split\na,train\nb,\n",
        "case;split\na;train\nb;\n",
        "\ufeffcase,split\r\na,train\r\nb,\r\n",
        " case , split \n a , train \n\n,\nb\n",
        '"case","split"\n"a","train"\n"b",""',
    ],
)
def test_rows_are_the_same_in_every_variant(tmp_path, content):
    assert read_sheet(sheet(tmp_path, content)) == [
        {"case": "a", "split": "train"},
        {"case": "b", "split": ""},
    ]


def test_a_quoted_text_may_contain_separators_and_line_breaks(tmp_path):
    assert read_sheet(sheet(tmp_path, 'case,note\na,"x, y\nz"\n')) == [{"case": "a", "note": "x, y\nz"}]


@pytest.mark.parametrize("content", ["", "case,split\n"])
def test_a_sheet_without_rows_is_empty(tmp_path, content):
    assert read_sheet(sheet(tmp_path, content)) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        ("case\nZähne".encode("latin-1"), "cannot be read as UTF-8"),
        ("case,split\na,train\n".encode("utf-16"), "is not UTF-8, but UTF-16 (Excel's Unicode text); save"),
        ("case,split\na,train\n".encode("utf-16-be"), "is not UTF-8, but UTF-16"),
        ("case\tsplit\na\ttrain\n", "separates its columns by tabs; save it as CSV UTF-8"),
        ("sep=,\ncase,split\na,train\n", "begins with the line 'sep=,', which is for Excel; remove it"),
        ('\ufeff"sep=;"\r\ncase;split\r\na;train\r\n', "which is for Excel; remove it"),
        ('case,split\n"a,train', "is not CSV"),
        ("name,split\na,train\n", "has no column 'case' (columns: name, split)"),
        ("", "has no column 'case' (columns: none)"),
        ("case,split,split\na,b,c\n", "has two columns 'split'"),
        ("case,split\na,b\na,b,c\n", "row 3 has 3 fields"),
    ],
)
def test_a_fault_is_reported_in_one_line(tmp_path, content, words):
    path = tmp_path / "cases.csv" if content is None else sheet(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_sheet(path, required=["case"])
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_texts_are_composed_after_the_fields_are_separated(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("case,ge\u0301nou\nfe\u0301mur,a\u037eb\n", encoding="utf-8")  # a Greek question mark
    assert read_sheet(path) == [{"case": "f\u00e9mur", "g\u00e9nou": "a;b"}]


def test_a_sheet_in_windows_1252_is_reported_with_row_and_column(tmp_path):
    path = sheet(tmp_path, "case;patient;split\nK1;Muller;train\nK2;Müller;val\n".encode("cp1252"))
    with pytest.raises(InputError) as caught:
        read_sheet(path)
    assert "row 3, column 'patient' is probably in Windows-1252 (in which it reads 'Müller')" in str(
        caught.value
    )
    assert str(caught.value).endswith("save it as CSV UTF-8")
