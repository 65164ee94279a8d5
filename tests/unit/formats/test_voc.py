"""Pascal VOC's label maps: palettes and colours, the void border, and labelmap.txt."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from samcarry.errors import InputError
from samcarry.formats.voc import load_voc_table, read_voc
from support.drawn_annotations import drawn
from support.voc_files import write_labelmap, write_voc

CLASSES = ("ulna", "radius")
NUMBERS = np.array([[0, 1, 1], [2, 255, 0]], np.uint8)


@pytest.mark.parametrize("colours", [False, True])
def test_the_void_border_belongs_to_no_class(tmp_path, colours):
    write_voc(tmp_path / "a.png", NUMBERS, colours=colours)
    table = load_voc_table(write_labelmap(tmp_path / "labelmap.txt", CLASSES), "source.voc.table")
    (read,) = read_voc(tmp_path / "a.png", table=table)
    assert (read.name, read.size) == ("a.png", (2, 3))
    for number, name in enumerate(CLASSES, start=1):
        np.testing.assert_array_equal(drawn(read)[name], number == NUMBERS)
    assert set(drawn(read)) == set(CLASSES)


@given(
    array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
        lambda size: arrays(np.uint8, size, elements=st.integers(0, 20))
    )
)
def test_any_map_is_read_back(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("voc")
    names = [f"c{number}" for number in range(1, 21)]
    table = load_voc_table(write_labelmap(folder / "labelmap.txt", names), "the table")
    for colours in (False, True):
        write_voc(folder / "a.png", numbers, colours=colours)
        (read,) = read_voc(folder / "a.png", table=table)
        found = drawn(read)
        assert set(found) == {f"c{number}" for number in np.unique(numbers) if number}
        for name, mask in found.items():
            np.testing.assert_array_equal(mask, numbers == int(name[1:]))


def test_without_a_table_the_number_is_the_class(tmp_path):
    write_voc(tmp_path / "a.png", NUMBERS)
    (read,) = read_voc(tmp_path / "a.png")
    assert sorted(drawn(read)) == ["1", "2"]
    (named,) = read_voc(tmp_path / "a.png", table=load_voc_table({1: "ulna", 2: None, 255: "rim"}, "here"))
    assert sorted(drawn(named)) == ["rim", "ulna"]


def test_a_value_that_no_table_names_is_refused(tmp_path):
    write_voc(tmp_path / "a.png", NUMBERS)
    with pytest.raises(InputError, match=r"a\.png: holds values that here does not name: value 2"):
        read_voc(tmp_path / "a.png", table=load_voc_table({1: "ulna"}, "here"))


def test_a_labelmap_may_name_ignored_colours(tmp_path):
    path = tmp_path / "labelmap.txt"
    path.write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\r\nulna:128,0,0::\nignore: 1, 2, 3\n"
    )
    table = load_voc_table(path, "here")
    assert table.colours == {0: None, 0x800000: "ulna", 0x010203: None}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ulna", "line 1 is not name:r,g,b"),
        ("\nulna:1,2::", "line 2 is not name:r,g,b"),
        ("ulna:1,2,256::", "line 1 is not name:r,g,b"),
        ("ulna:1,2,3::\nradius:1,2,3::", "line 2 gives another class"),
        ("# nothing\n", "names no class"),
    ],
)
def test_a_broken_labelmap_is_named(tmp_path, text, fault):
    path = tmp_path / "labelmap.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"^{path}: {fault}.*; "):
        load_voc_table(path, "here")
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        load_voc_table(path, "here")


def test_other_files_than_png_and_tiff_are_refused(tmp_path):
    Image.new("RGB", (3, 2)).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: "):
        read_voc(Path(tmp_path / "a.jpg"))
