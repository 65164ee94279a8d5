"""YOLO's outlines become masks at the size of the image, and damaged lines are named."""

from pathlib import Path

import numpy as np
import pytest

from samcarry.errors import InputError
from samcarry.formats.class_tables import parse_class_table
from samcarry.formats.yolo import load_yolo_table, read_yolo
from samcarry.geometry.rasterise import draw_masks

TABLE = parse_class_table({"0": "ulna", "1": "radius", "2": None}, "the table")
SQUARE = "0.25 0.5 0.75 0.5 0.75 1 0.25 1"


def save(folder: Path, text: str) -> Path:
    path = folder / "a.txt"
    path.write_text(text)
    return path


def test_an_outline_is_drawn_at_the_size_of_any_image(tmp_path):
    (read,) = read_yolo(save(tmp_path, f"0 {SQUARE}\r\n\n1 0 0 0.5 0 0.5 0.5\n2 {SQUARE}\n"), table=TABLE)
    assert (read.name, read.size) == ("a", None)
    for height, width in ((2, 4), (40, 8)):
        masks = draw_masks(read, height, width, [])
        assert sorted(masks) == ["radius", "ulna"]
        expected = np.zeros((height, width), bool)
        expected[height // 2 :, width // 4 : width * 3 // 4] = True
        np.testing.assert_array_equal(masks["ulna"], expected)


def test_without_a_table_the_number_is_the_class_and_an_empty_file_has_no_shape(tmp_path):
    (read,) = read_yolo(save(tmp_path, f"07 {SQUARE}"))
    assert [shape.class_name for shape in read.shapes] == ["7"]
    (empty,) = read_yolo(save(tmp_path, "\n"))
    assert empty.shapes == ()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("0 0.5 0.5 0.1 0.1", "has only a box"),
        ("0 0.5 0.5 0.1 0.1 0.2", "5 coordinates, an odd number"),
        ("0 0.5 0.5", "1 points"),
        ("0", "0 points"),
        ("0 0.5 0.5 0.1 0.1 nan 0.2", "not finite"),
        ("0 0.5 0.5 0.1 x 0.1 0.2", "not a number"),
        ("0 10 10 300 10 300 200", "coordinates in pixels"),
        ("0 2 2 3 2 3 3", ""),
        (f"3 {SQUARE}", "has the class 3, which the table does not name"),
        (f"ulna {SQUARE}", "instead of the number of a class"),
        (f"-1 {SQUARE}", "instead of the number of a class"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, fault):
    path = save(tmp_path, f"1 {SQUARE}\n{line}\n")
    if not fault:  # outside, which is found when the image's size is known
        faults: list[str] = []
        draw_masks(read_yolo(path, table=TABLE)[0], 5, 6, faults)
        assert "line 2 is entirely outside the image of 6 x 5" in faults[0]
        return
    with pytest.raises(InputError) as caught:
        read_yolo(path, table=TABLE)
    (found,) = str(caught.value).splitlines()
    assert found.startswith(f"{path}: line 2 ")
    assert fault in found
    assert "; " in found


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"0 \xff")
    with pytest.raises(InputError, match=r"a\.txt: is not UTF-8"):
        read_yolo(tmp_path / "a.txt")


@pytest.mark.parametrize("names", ["[ulna, 7]", "{0: ulna, 1: '7'}", "\n- ulna\n- '7 '"])
def test_classes_are_named_by_data_yaml(tmp_path, names):
    path = tmp_path / "data.yaml"
    path.write_text(f"train: ../train\nnc: 2\nnames: {names}\n")
    table = load_yolo_table(str(path), "source.yolo.table")
    assert (table.numbers, table.source) == ({0: "ulna", 1: "7"}, str(path))


def test_other_tables_are_those_of_label_maps(tmp_path):
    assert load_yolo_table({0: "ulna"}, "here").numbers == {0: "ulna"}
    assert load_yolo_table(None, "here") is None
    (tmp_path / "classes.csv").write_text("number,class\n0,ulna\n")
    assert load_yolo_table(str(tmp_path / "classes.csv"), "here").numbers == {0: "ulna"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("names: [a, b", "not readable YAML"),
        ("train: a", "no 'names'"),
        ("names: []", "no 'names'"),
        ("names: {a: 0}", "no 'names'"),
        ("names: [[a]]", "not a text"),
        ("names: ['']", "not a text"),
        ("7", "no 'names'"),
        ("names: " + "[" * 5000, "not readable YAML"),
    ],
)
def test_a_broken_data_yaml_is_named(tmp_path, text, fault):
    path = tmp_path / "data.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^{path}: .*{fault}.*; "):
        load_yolo_table(path, "source.yolo.table")
