"""Input images of SAM and MedSAM: size, padding and grey values."""

import numpy as np
import pytest
import torch
from segment_anything.utils.transforms import ResizeLongestSide

from samcarry.sam.checkpoints import BUILDERS
from samcarry.sam.inputs import fill_square, input_size, stretch, to_medsam_input, to_sam_input

SIZE = (96, 48)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((384, 224), (384, 224)), ((224, 384), (224, 384)), ((96, 56), (384, 224)), ((100, 100), (384, 384))],
)
def test_the_long_side_fills_the_tiny_sams_input(sam, size, expected):
    assert input_size(sam, *size) == expected


@pytest.mark.parametrize(("size", "expected"), [((384, 224), (1024, 597)), ((224, 384), (597, 1024))])
def test_the_long_side_fills_the_official_input(size, expected):
    with torch.device("meta"):
        official = BUILDERS["vit_b"]()
    assert input_size(official, *size) == expected


@pytest.mark.parametrize("size", [(96, 48), (50, 77), (700, 433), (1500, 2000), (1, 9)])
def test_an_image_is_resized_as_by_sams_own_transform(sam, size):
    image = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    expected = ResizeLongestSide(sam.image_encoder.img_size).apply_image(image)
    np.testing.assert_array_equal(fill_square(sam, image), expected)


def test_an_image_is_padded_with_zeros_below_and_to_its_right(sam):
    images = [fill_square(sam, np.full(SIZE, grey, dtype=np.uint8)) for grey in (50, 200)]
    batch = to_sam_input(sam, images)
    rows, columns = input_size(sam, *SIZE)
    side = sam.image_encoder.img_size
    assert batch.shape == (2, 3, side, side)
    assert (batch[:, :, rows:] == 0).all()
    assert (batch[:, :, :, columns:] == 0).all()
    for grey, one in zip((50, 200), batch, strict=True):
        expected = (grey - sam.pixel_mean) / sam.pixel_std
        torch.testing.assert_close(one[:, :rows, :columns], expected.expand(3, rows, columns))


# ---- MedSAM ---------------------------------------------------------------------------------


def test_medsams_image_fills_the_square_whatever_its_proportions(sam):
    image = np.zeros(SIZE, dtype=np.uint8)
    image[48:, 24:] = 200  # the lower right quarter
    stretched = to_medsam_input(sam, [stretch(sam, image)])[0, 0]
    side = sam.image_encoder.img_size
    assert stretched.shape == (side, side)
    expected = torch.zeros(side, side)
    expected[side // 2 :, side // 2 :] = 1
    assert (stretched - expected).abs().mean() < 0.02


@pytest.mark.parametrize("offset", [0, 40])
def test_medsams_grey_values_are_stretched_to_0_1(sam, offset):
    image = (np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 100 + offset).astype(np.uint8)
    stretched = to_medsam_input(sam, [stretch(sam, image)])
    assert stretched.min() == 0
    assert stretched.max() == 1


def test_a_constant_image_causes_no_division_by_zero(sam):
    assert (to_medsam_input(sam, [stretch(sam, np.full(SIZE, 77, dtype=np.uint8))]) == 0).all()
