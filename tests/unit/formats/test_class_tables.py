"""Class tables: values and colours in every spelling; no value may have two classes."""

import pytest

from samcarry.errors import InputError
from samcarry.formats.class_tables import (
    load_class_table,
    parse_class_table,
    read_class_table,
    write_class_table,
)
from samcarry.images.colours import class_colours_8bit


def table_of(tmp_path, text):
    path = tmp_path / "classes.csv"
    path.write_text(text)
    return read_class_table(path)


def refused(tmp_path, text):
    with pytest.raises(InputError) as caught:
        table_of(tmp_path, text)
    lines = str(caught.value).splitlines()
    assert all(str(tmp_path / "classes.csv") in line for line in lines)
    return lines


@pytest.mark.parametrize(
    ("text", "numbers", "colours"),
    [
        ("value,class\n1,radius\n65535,ulna\n", {1: "radius", 65535: "ulna"}, {}),
        ("value;class\n#FF0001;radius\n2;ulna\n", {2: "ulna"}, {0xFF0001: "radius"}),
        ("r,g,b,class\n255,0,1,radius\n", {}, {0xFF0001: "radius"}),
        ("class,color\nradius,#0000ff\n", {}, {0x0000FF: "radius"}),
        ("value,class\n0,Background\n1,\n2,ulna\n", {0: None, 1: None, 2: "ulna"}, {}),
        ("number,class,red,green,blue\n1,ulna,9,0,0\n", {1: "ulna"}, {0x090000: "ulna"}),
        ("value,class\n1,bone\n2,bone\n", {1: "bone", 2: "bone"}, {}),
    ],
)
def test_values_and_colours_are_read_in_every_spelling(tmp_path, text, numbers, colours):
    table = table_of(tmp_path, text)
    assert (table.numbers, table.colours) == (numbers, colours)


def test_the_table_of_our_exports_is_read_back(tmp_path):
    write_class_table(tmp_path / "classes.csv", ["Ulna", "Radius"])
    table = read_class_table(tmp_path / "classes.csv")
    assert table.numbers == {0: None, 1: "Ulna", 2: "Radius"}
    packed = [red << 16 | green << 8 | blue for red, green, blue in class_colours_8bit(2)]
    assert table.colours == {0: None, packed[0]: "Ulna", packed[1]: "Radius"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("value,class\n1,a\n1,b\n", "entry 2 gives another class to the value 1"),
        ("value,class\n-1,a\n", "'-1', which is neither"),
        ("value,class\n65536,a\n", "'65536', which is neither"),
        ("value,class\n#ff00,a\n", "'#ff00', which is neither"),
        ("value,class\n1.5,a\n", "'1.5', which is neither"),
        ("r,g,b,class\n1,2,256,a\n", "'1, 2, 256', which is not three numbers from 0 to 255"),
        ("name,class\n1,a\n", "has no column of pixel values"),
        ("value,name\n1,a\n", "no column 'class'"),
        ("", "no column 'class'"),
    ],
)
def test_invalid_tables_are_refused(tmp_path, text, message):
    (line,) = refused(tmp_path, text)
    assert message in line


def test_all_faulty_rows_are_reported_together(tmp_path):
    assert len(refused(tmp_path, "value,class\nx,a\n1,b\ny,c\n")) == 2


def test_a_config_may_hold_the_table():
    table = parse_class_table({"1": "radius", 2: None, "#00ff00": "ulna"}, "source.label_maps.table")
    assert (table.numbers, table.colours) == ({1: "radius", 2: None}, {0x00FF00: "ulna"})
    with pytest.raises(InputError, match=r"source\.label_maps\.table: 'red' has the value"):
        parse_class_table({"red": "radius"}, "source.label_maps.table")


def test_a_colour_beside_numbers_may_repeat_and_is_then_left_out(tmp_path):
    table = table_of(tmp_path, "value,class,colour\n1,a,#ff0000\n2,b,#ff0000\n3,c,#00ff00\n")
    assert table.numbers == {1: "a", 2: "b", 3: "c"}
    assert table.colours == {0x00FF00: "c"}


def test_a_number_never_has_two_classes_even_in_a_second_column(tmp_path):
    (line,) = refused(tmp_path, "value,number,class\n1,5,a\n2,5,b\n")
    assert "entry 2 gives another class to the value 5" in line


def test_a_value_that_a_config_lists_twice_is_refused():
    with pytest.raises(InputError, match=r"source: 1 gives another class"):
        parse_class_table({"1": "radius", 1: "ulna"}, "source")


def test_a_config_gives_a_table_as_a_file_as_a_mapping_or_not_at_all(tmp_path):
    write_class_table(tmp_path / "classes.csv", ["ulna"])
    assert load_class_table(None, "source.nifti.table") is None
    assert load_class_table({"1": "ulna"}, "source.nifti.table").source == "source.nifti.table"
    assert load_class_table(tmp_path / "classes.csv", "x").numbers == {0: None, 1: "ulna"}
