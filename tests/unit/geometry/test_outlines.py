"""Outlines along the edges of pixels give the same mask when drawn, with holes and touching parts."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from samcarry.geometry.outlines import outlines
from samcarry.geometry.rasterise import fill_polygon

MASKS = array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda size: arrays(bool, size, elements=st.booleans())
)


def from_rows(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


@given(MASKS)
@example(from_rows("###", "#.#", "###"))  # a hole
@example(from_rows("###..", "#.#..", "##.##", "..#.#", "..###"))  # two holes and parts that touch at corners
@example(from_rows("#####", "#...#", "#.#.#", "#...#", "#####"))  # a part inside a hole
@example(from_rows("####", "##.#", "#.##", "####"))  # holes that touch at a corner
def test_outlines_give_the_mask(mask):
    found = outlines(mask)
    assert len(found) == ndimage.label(mask)[1]
    drawn = [fill_polygon(outline.astype(float), *mask.shape) for outline in found]
    assert np.array_equal(np.any(drawn, axis=0) if drawn else np.zeros_like(mask), mask)
    assert sum(part.sum() for part in drawn) == mask.sum()  # no pixel is in two parts


@pytest.mark.parametrize(
    ("mask", "corners"),
    [
        (from_rows("....", ".##.", ".##."), [[1, 1], [3, 1], [3, 3], [1, 3]]),
        (from_rows("#"), [[0, 0], [1, 0], [1, 1], [0, 1]]),
    ],
)
def test_straight_sides_have_no_corners_on_them(mask, corners):
    (outline,) = outlines(mask)
    assert sorted(outline.tolist()) == sorted(corners)


def test_an_empty_mask_has_no_outline():
    assert outlines(np.zeros((3, 4), bool)) == []
