"""Filling polygons gives the pixels of scikit-image's polygon2mask, which tests every pixel."""

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from samcarry.errors import InputError
from samcarry.geometry import rasterise
from samcarry.geometry.rasterise import fill_polygon

SIDES = st.integers(1, 12)


def corners_of(coordinate):
    return st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9).map(
        lambda pairs: np.array(pairs, dtype=float)
    )


def filled_pixel_by_pixel(corners, height, width):
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
def test_any_polygon_has_the_pixels_of_scikit_image_even_if_self_crossing_or_outside(coordinate):
    @settings(max_examples=100)
    @given(corners_of(coordinate), SIDES, SIDES)
    def check(corners, height, width):
        filled = fill_polygon(corners, height, width)
        assert (filled == filled_pixel_by_pixel(corners, height, width)).all()

    check()


def test_an_outline_that_no_object_has_is_refused():
    """A file of a few MB could otherwise take hours."""
    corners = np.array([[x / 50, 600 * (x % 2)] for x in range(30_000)], dtype=float)
    with pytest.raises(
        InputError, match=r"^has 30000 corners whose sides cross \d+ rows, .*600 x 600 pixels"
    ):
        fill_polygon(corners, 600, 600)


def test_the_densest_outline_of_pixels_is_drawn():
    """A comb whose teeth are one pixel wide and as high as the image."""
    height, width = 500, 500
    teeth = [[[x, 0], [x, height - 1], [x + 1, height - 1], [x + 1, 0]] for x in range(0, width, 2)]
    corners = np.array([[0, height], *np.reshape(teeth, (-1, 2)), [width, height]], dtype=float)
    assert fill_polygon(corners, height, width)[10].mean() == pytest.approx(0.5, abs=0.01)


def test_pixels_do_not_depend_on_the_batch_size(monkeypatch):
    corners = np.random.default_rng(0).random((30, 2)) * 40
    whole = fill_polygon(corners, 40, 40)
    monkeypatch.setattr(rasterise, "_MAX_CROSSINGS", 7)
    assert (fill_polygon(corners, 40, 40) == whole).all()
    assert 0 < whole.sum() < 1600


def test_a_centre_on_a_side_or_corner_is_inside():
    triangle = np.array([[0.5, 0.5], [4.5, 0.5], [0.5, 4.5]])
    assert drawing(fill_polygon(triangle, 5, 6)) == ["#####.", "####..", "###...", "##....", "#....."]


def test_regions_that_are_enclosed_twice_are_outside():
    twice = np.array([[0, 0], [5, 0], [5, 5], [0, 5], [0, 0], [1, 1], [4, 1], [4, 4], [1, 4], [1, 1]], float)
    assert drawing(fill_polygon(twice, 5, 5)) == ["#####", "#...#", "#...#", "#...#", "#####"]


def test_a_polygon_without_area_has_only_the_centres_at_its_corners():
    assert drawing(fill_polygon(np.array([[0.5, 0.5], [3.5, 0.5], [0.5, 0.5]]), 1, 4)) == ["#..#"]


def sides_through(corners, x, y):
    """How many sides contain the point (x, y), and whether it is inside by the even-odd rule, exactly."""
    points = [(Fraction(a) - Fraction(x), Fraction(b) - Fraction(y)) for a, b in corners.tolist()]
    touching, odd = 0, False
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        cross = x0 * y1 - x1 * y0
        in_box = min(x0, x1) <= 0 <= max(x0, x1) and min(y0, y1) <= 0 <= max(y0, y1)
        touching += cross == 0 and in_box
        if (y0 > 0) != (y1 > 0) and (cross > 0) == (y1 > y0):
            odd = not odd
    return touching, odd


@settings(max_examples=100)
@given(corners_of(st.integers(-6, 30).map(lambda number: number / 4)))
def test_pixels_follow_the_definition_in_exact_arithmetic(corners):
    filled = fill_polygon(corners, 8, 8)
    on_corner = {tuple(corner) for corner in corners.tolist()}
    for row, column in np.ndindex(8, 8):
        x, y = column + 0.5, row + 0.5
        touching, odd = sides_through(corners, x, y)
        if (x, y) in on_corner or touching == 1:
            assert filled[row, column]
        elif touching == 0:  # where sides lie on each other, scikit-image decides
            assert filled[row, column] == odd


def test_a_polygon_of_many_corners_is_filled_quickly():
    """scikit-image would compare every corner with every pixel: 10 ** 11 comparisons."""
    angle = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    radius = 400 + 80 * np.sin(9 * angle)
    corners = 500 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    began = time.process_time()
    filled = fill_polygon(corners, 1000, 1000)
    assert time.process_time() - began < 10
    after = np.roll(corners, -1, axis=0)
    area = abs((corners[:, 0] * after[:, 1] - corners[:, 1] * after[:, 0]).sum()) / 2
    assert abs(filled.sum() - area) < 1000
