"""Overlays: only the contours of masks are coloured."""

import numpy as np
import pytest
from PIL import Image

from samcarry.formats.overlays import overlay, with_legend, write_overlay
from samcarry.images.colours import class_colours_8bit


def test_an_overlay_colours_only_the_inner_edge():
    image = np.full((7, 9), 100, np.uint8)
    masks = np.zeros((1, 7, 9), bool)
    masks[0, 1:5, 2:7] = True
    picture = overlay(image, masks)
    changed = (picture != 100).any(axis=-1)
    rim = masks[0].copy()
    rim[2:4, 3:6] = False
    np.testing.assert_array_equal(changed, rim)


@pytest.mark.parametrize(("side", "width"), [(100, 1), (1000, 2), (1500, 3)])
def test_the_contour_is_a_500th_of_the_longer_side_wide(side, width):
    masks = np.zeros((1, 40, side), bool)
    masks[0, 5:35, 5:35] = True
    changed = (overlay(np.zeros((40, side), np.uint8), masks) != 0).any(axis=-1)
    assert changed[:, 20].sum() == 2 * width


def test_each_class_has_its_colour_and_an_absent_class_changes_nothing(tmp_path):
    image = np.zeros((5, 9), np.uint8)
    masks = np.zeros((3, 5, 9), bool)
    masks[0, :, :3] = masks[2, :, 6:] = True
    write_overlay(tmp_path / "a.png", image, masks, ["a", "b", "c"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    pixels = np.asarray(Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(pixels[:5, :9], overlay(image, masks))
    colours = class_colours_8bit(3)
    assert [tuple(pixels[0, column].tolist()) for column in (0, 4, 8)] == [colours[0], (0, 0, 0), colours[2]]


def colours_in(pixels):
    return {tuple(colour) for colour in pixels.reshape(-1, 3).tolist()}


@pytest.mark.parametrize("size", [(40, 300), (300, 40), (900, 700)])
def test_the_legend_is_below_the_picture_and_names_the_present_classes(size):
    masks = np.zeros((3, *size), bool)
    masks[0, 5:30, 5:30] = masks[2, 3:9, 3:9] = True
    picture = overlay(np.zeros(size, np.uint8), masks)
    whole = with_legend(picture, masks, ["Zähne", "absent", "Os capitatum (Kopfbein)"])
    assert whole.shape[0] > size[0]
    assert whole.shape[1] >= size[1]
    np.testing.assert_array_equal(whole[: size[0], : size[1]], picture)
    first, absent, third = class_colours_8bit(3)
    assert {first, third} <= colours_in(whole[size[0] :])
    assert absent not in colours_in(whole)


def test_a_legend_of_many_classes_has_several_columns_and_one_of_none_says_so():
    masks = np.ones((32, 500, 1000), bool)
    picture = np.zeros((500, 1000, 3), np.uint8)
    many = with_legend(picture, masks, [f"class {number}" for number in range(32)])
    assert 500 < many.shape[0] < 750
    assert set(class_colours_8bit(32)) <= colours_in(many)
    none = with_legend(picture, ~masks, [f"class {number}" for number in range(32)])
    assert 500 < none.shape[0] < 600
    assert len(colours_in(none[500:])) > 5  # the letters
