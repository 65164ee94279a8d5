"""The fill along rows gives the pixels of scikit-image's polygon2mask, which asks every pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from samcarry.formats import rasterise
from samcarry.formats.rasterise import fill_polygon

SIDES = st.integers(1, 12)


def corners_of(coordinate):
    return st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9).map(
        lambda pairs: np.array(pairs, dtype=float)
    )


def asked_pixel_by_pixel(corners, height, width):
    return polygon2mask((height, width), corners[:, ::-1] - 0.5)


def drawing(mask):
    return ["".join(".#"[pixel] for pixel in row) for row in mask.astype(int)]


@pytest.mark.parametrize(
    "coordinate",
    [
        st.integers(-3, 15),  # sides run along pixels
        st.integers(-6, 30).map(lambda number: number / 2),  # corners and sides on centres
        st.integers(-30, 150).map(lambda number: number / 10),
        st.floats(-5, 20),
        st.one_of(st.floats(-5, 20), st.floats(-1e9, 1e9)),
    ],
    ids=["whole", "half", "tenth", "any", "far"],
)
def test_any_polygon_crossing_itself_or_reaching_outside_has_the_same_pixels(coordinate):
    @settings(max_examples=100)
    @given(corners_of(coordinate), SIDES, SIDES)
    def check(corners, height, width):
        filled = fill_polygon(corners, height, width)
        assert (filled == asked_pixel_by_pixel(corners, height, width)).all()

    check()


def test_pixels_are_the_same_however_the_work_is_cut_up(monkeypatch):
    corners = np.random.default_rng(0).random((30, 2)) * 40
    whole = fill_polygon(corners, 40, 40)
    monkeypatch.setattr(rasterise, "_MOST_PAIRS", 7)
    assert (fill_polygon(corners, 40, 40) == whole).all()
    assert 0 < whole.sum() < 1600


def test_a_centre_on_a_side_or_corner_is_inside():
    triangle = np.array([[0.5, 0.5], [4.5, 0.5], [0.5, 4.5]])
    assert drawing(fill_polygon(triangle, 5, 6)) == ["#####.", "####..", "###...", "##....", "#....."]


def test_what_is_wound_round_twice_is_outside():
    twice = np.array([[0, 0], [5, 0], [5, 5], [0, 5], [0, 0], [1, 1], [4, 1], [4, 4], [1, 4], [1, 1]], float)
    assert drawing(fill_polygon(twice, 5, 5)) == ["#####", "#...#", "#...#", "#...#", "#####"]


def test_a_polygon_without_area_takes_the_centres_of_its_corners_alone():
    assert drawing(fill_polygon(np.array([[0.5, 0.5], [3.5, 0.5], [0.5, 0.5]]), 1, 4)) == ["#..#"]
