"""Masks: black is background in every type of PNG, and resizing uses the area."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from samcarry.errors import InputError
from samcarry.images.grey import resize_grey
from samcarry.images.masks import mask_at_size, read_mask, read_mask_values, resize_mask, write_mask

MASK = np.array([[False, True, True], [False, False, True]])


@pytest.mark.parametrize(
    ("value", "dtype"), [(1, np.uint8), (255, np.uint8), (1, np.uint16), (40000, np.uint16)]
)
def test_any_value_but_0_is_the_class(tmp_path, value, dtype):
    path = tmp_path / "a.png"
    Image.fromarray(MASK.astype(dtype) * dtype(value)).save(path)
    assert read_mask(path).tolist() == MASK.tolist()


def test_1_bit(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(MASK).save(path)
    with Image.open(path) as stored:
        assert stored.mode == "1"
    assert read_mask(path).tolist() == MASK.tolist()


def test_any_colour_but_black_is_the_class(tmp_path):
    path = tmp_path / "a.png"
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[MASK] = (0, 0, 1)  # a blue whose luminance rounds to 0
    Image.fromarray(colours).save(path)
    assert read_mask(path).tolist() == MASK.tolist()


def test_the_colours_of_a_palette_count(tmp_path):
    path = tmp_path / "a.png"
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette([255, 0, 0, 0, 0, 0, 0, 0, 0])
    image.save(path)
    with Image.open(path) as stored:
        assert stored.mode == "P"
    assert read_mask(path).tolist() == [[True, False, False]]


def test_a_palette_with_a_transparent_colour(tmp_path):
    path = tmp_path / "a.png"
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette([255, 255, 255, 255, 0, 0, 0, 0, 0])
    image.save(path, transparency=0)
    assert read_mask(path).tolist() == [[False, True, False]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_background(tmp_path, mode):
    path = tmp_path / "a.png"
    image = Image.new("L", (3, 2), 255).convert(mode)
    image.putalpha(Image.fromarray(MASK.astype(np.uint8) * 255))
    image.save(path)
    assert read_mask(path).tolist() == MASK.tolist()


def test_opaque_black_is_background(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(MASK.astype(np.uint8) * 255).convert("RGBA").save(path)
    assert read_mask(path).tolist() == MASK.tolist()


def test_values_are_the_largest_colour_where_it_is_not_transparent(tmp_path):
    pixels = np.array([[[9, 200, 0, 255], [9, 9, 9, 0], [0, 0, 0, 255], [0, 0, 3, 1]]], np.uint8)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "bone.png")
    assert read_mask_values(tmp_path / "bone.png").tolist() == [[200, 0, 0, 3]]


def test_a_jpeg_named_png_is_rejected(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(MASK.astype(np.uint8) * 255).save(path, format="JPEG")
    with pytest.raises(InputError, match=r"a\.png: not a PNG file"):
        read_mask(path)


def test_truncated_and_empty_masks_are_rejected(tmp_path):
    path = tmp_path / "a.png"
    write_mask(path, np.random.default_rng(0).random((64, 64)) > 0.5)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"a\.png: .*truncated"):
        read_mask(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.png: .*empty"):
        read_mask(path)


def test_half_of_the_area_is_enough():
    mask = np.array([[1, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 1]], dtype=bool)
    assert resize_mask(mask, 1, 3).tolist() == [[True, False, False]]
    assert resize_mask(np.array([[True], [False]]), 1, 1).tolist() == [[True]]


def test_exactly_half_is_enough_in_any_division():
    for height in range(2, 40, 2):
        mask = np.zeros((height, 7), dtype=bool)
        mask[: height // 2] = True
        assert resize_mask(mask, 1, 1).all()


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_a_mask_is_unchanged_at_its_own_size_and_when_enlarged(mask):
    height, width = mask.shape
    assert (resize_mask(mask, height, width) == mask).all()
    assert (resize_mask(mask, 3 * height, 3 * width) == mask.repeat(3, 0).repeat(3, 1)).all()


def test_written_masks_are_0_and_255_and_can_be_read_back(tmp_path):
    path = tmp_path / "new" / "Os capitatum.png"
    write_mask(path, MASK)
    with Image.open(path) as stored:
        assert stored.mode == "L"
        assert np.unique(np.asarray(stored)).tolist() == [0, 255]
    assert read_mask(path).tolist() == MASK.tolist()


def test_a_probability_map_keeps_its_smallest_object_at_a_smaller_size():
    values = np.zeros((12, 12), np.uint8)
    values[5, 6] = 255
    assert mask_at_size(values, 3, 3).sum() >= 1
    assert not mask_at_size(np.full((12, 12), 127, np.uint8), 3, 3).any()


def test_a_probability_map_is_thresholded_at_half_at_its_own_size():
    assert mask_at_size(np.array([[0, 127, 128, 255]], np.uint8), 1, 4).tolist() == [
        [False, False, True, True]
    ]


@pytest.mark.parametrize("seed", range(200))
def test_only_a_part_of_a_probability_map_is_resized_with_the_same_outcome(seed):
    rng = np.random.default_rng(seed)
    height, width, new_height, new_width = (int(side) for side in rng.integers(1, 50, 4))
    if seed % 2:  # larger in both directions
        new_height, new_width = height + new_height, width + new_width
    values = rng.integers(0, 256, (height, width)).astype(np.uint8)
    if seed % 3:  # a few high pixels among lower ones
        values = np.where(rng.random(values.shape) < 0.03, values, values % 120).astype(np.uint8)
    resized = resize_grey(values, new_height, new_width)
    expected = resized > min(127, int(resized.max()) - 1) if values.max() > 127 else resized < 0
    np.testing.assert_array_equal(mask_at_size(values, new_height, new_width), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_black_on_transparent_ground_is_refused_instead_of_counting_as_absent(tmp_path, mode):
    image = Image.new(mode.removesuffix("A"), (MASK.shape[1], MASK.shape[0]))
    image.putalpha(Image.fromarray(MASK.astype(np.uint8) * 255))
    image.save(tmp_path / "bone.png")
    with pytest.raises(InputError, match=r"bone\.png: is black on transparent ground"):
        read_mask(tmp_path / "bone.png")


@pytest.mark.parametrize("alpha", [0, 255])
def test_a_black_mask_with_one_alpha_is_empty(tmp_path, alpha):
    Image.new("RGBA", (4, 3), (0, 0, 0, alpha)).save(tmp_path / "bone.png")
    assert not read_mask(tmp_path / "bone.png").any()
