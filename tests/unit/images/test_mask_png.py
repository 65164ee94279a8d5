"""PNG files of masks contain exactly the mask, whatever it looks like."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from samcarry.images.mask_png import png_of


def pixels_of(content):
    with Image.open(io.BytesIO(content)) as image:
        image.verify()  # all checksums
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        return np.asarray(image)


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.booleans()))
def test_any_mask(mask):
    np.testing.assert_array_equal(pixels_of(png_of(mask)), mask * 255)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 70_000), (70_000, 1), (1500, 2000)])
@pytest.mark.parametrize("drawn", ["nothing", "everything", "last", "noise"])
def test_masks_of_any_size(height, width, drawn):
    mask = np.full((height, width), drawn == "everything")
    if drawn == "last":
        mask[-1, -1] = True
    if drawn == "noise":
        mask[height // 3 : height // 2] = (
            np.random.default_rng(0).random((height // 2 - height // 3, width)) < 0.5
        )
    np.testing.assert_array_equal(pixels_of(png_of(mask)), mask * 255)


def test_empty_rows_take_almost_no_room():
    mask = np.zeros((3000, 2000), bool)
    mask[1000:1100, 500:700] = True
    assert len(png_of(mask)) < 10_000
