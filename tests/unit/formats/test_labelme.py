"""LabelMe's polygons, rectangles, circles and masks become masks pixel by pixel.

The documents are written as LabelMe 5 writes them.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samcarry.errors import InputError
from samcarry.formats.labelme import read_labelme
from samcarry.geometry.rasterise import draw_masks
from support.labelme_files import pack, shape


def save(folder: Path, *shapes, **changes) -> Path:
    path = folder / "a.json"
    head = {"version": "5.4.1", "flags": {}, "imagePath": "a.png", "imageData": None}
    path.write_text(json.dumps(head | {"shapes": shapes, "imageHeight": 5, "imageWidth": 6} | changes))
    return path


def draw_one(path: Path) -> list[str]:
    (read,) = read_labelme(path)
    assert (read.name, read.size) == ("a.png", (5, 6))
    faults: list[str] = []
    masks = draw_masks(read, *read.size, faults)
    assert not faults
    return ["".join(".#"[pixel] for pixel in row) for row in masks["ulna"].astype(int)]


@pytest.mark.parametrize(
    "entry",
    [
        shape([[1, 1], [4, 1], [4, 3], [1, 3]]),
        shape([[1, 1], [4, 1], [4, 3], [1, 3]], None),
        shape([[4.4, 3.2], [1.4, 1.1]], "rectangle"),  # drawn starting at its lower right corner
        shape([[1, 1], [4, 1], [4, 3], [1, 3]], "rectangle"),  # X-AnyLabeling writes all four corners
        shape([[4, 3], [1, 3], [1, 1], [4, 1]], "rectangle"),
        shape([[1, 1], [4, 1], [4, 3], [1, 3]], "oriented_rectangle"),
        shape([[1, 1], [4, 1], [4, 3], [1, 3]], "rotation", direction=0),
        shape([[1, 1], [3, 2]], "mask", mask=pack(np.ones((2, 3), bool))),
    ],
)
def test_shapes_of_columns_1_to_3_and_rows_1_and_2(tmp_path, entry):
    assert draw_one(save(tmp_path, entry)) == ["......", ".###..", ".###..", "......", "......"]


@pytest.mark.parametrize("kind", ["rectangle", "rotation"])
def test_a_rotated_rectangle_of_four_corners_keeps_its_rotation(tmp_path, kind):
    entry = shape([[2.5, 1], [4, 2.5], [2.5, 4], [1, 2.5]], kind, direction=0.785)
    assert draw_one(save(tmp_path, entry)) == ["......", "..#...", ".###..", "..#...", "......"]


def test_a_circle_is_a_centre_and_a_point_on_its_edge(tmp_path):
    drawn = draw_one(save(tmp_path, shape([[2.5, 2.5], [3.6, 2.5]], "circle")))
    assert drawn == ["......", "..#...", ".###..", "..#...", "......"]


@given(arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 6))))
def test_any_mask_is_read_back(tmp_path_factory, mask):
    corners = [[0, 0], [mask.shape[1] - 1, mask.shape[0] - 1]]
    drawn = draw_one(save(tmp_path_factory.mktemp("l"), shape(corners, "mask", mask=pack(mask))))
    canvas = np.zeros((5, 6), bool)
    canvas[: mask.shape[0], : mask.shape[1]] = mask
    assert drawn == ["".join(".#"[pixel] for pixel in row) for row in canvas.astype(int)]


def test_a_shape_entirely_outside_is_found_when_drawn(tmp_path):
    (read,) = read_labelme(save(tmp_path, shape([[6, 1], [9, 1], [9, 3]])))
    faults: list[str] = []
    draw_masks(read, 5, 6, faults)
    expected = "image 'a.png': shape 1 is entirely outside the image of 6 x 5; move or remove it"
    assert faults == [f"{tmp_path / 'a.json'}: {expected}"]


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (shape([[1, 1], [2, 2]]), "2 points"),
        (shape([[1, 1]], "circle"), "1 points"),
        (shape([[1, 1], [4, 1], [4, 3]], "rectangle"), "3 points instead of 2 or 4"),
        (shape([[1, 1], [2, 2]], "rotation"), "2 points"),
        (shape([[1, 1], [2, 2], [float("inf"), 2]]), "far outside the image"),
        (shape([[1, 1], [2, 2]], "spline"), "not a supported shape"),
        (shape([[1, 1], [2, 2]], ["polygon"]), "not a supported shape"),
        (shape([[1, 1], [2, 2]], "mask"), "no text 'mask'"),
        (shape([[1, 1], [2, 2]], "mask", mask="§"), "cannot be decoded"),
        (shape([[1, 1], [2, 2]], "mask", mask="AAAA"), "not a PNG"),
        (shape([[1, 1], [2, 2]], "mask", mask=pack(np.ones((2, 3), bool))), "3 x 2 in a box of 2 x 2"),
        (shape([[1, 1], [2, 2], [1, 2]], label=" ulna"), "cannot be a file name"),
        ("ulna", "no text 'label'"),
    ],
)
def test_a_broken_shape_is_named(tmp_path, entry, fault):
    path = save(tmp_path, entry)
    with pytest.raises(InputError) as caught:
        read_labelme(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: shape 1 ")
    assert fault in line


def test_lines_and_points_are_skipped_and_counted(tmp_path):
    kinds = ("line", "linestrip", "point", "points")
    (read,) = read_labelme(save(tmp_path, *(shape([[1, 1]], kind, label="a/b") for kind in kinds)))
    assert (read.shapes, read.skipped) == ((), kinds)


@pytest.mark.parametrize(
    "changes", [{"imagePath": None}, {"shapes": {}}, {"imageHeight": True}, {"imageWidth": 10**9}]
)
def test_a_broken_file_is_named(tmp_path, changes):
    with pytest.raises(InputError, match=r"a\.json: "):
        read_labelme(save(tmp_path, **changes))
