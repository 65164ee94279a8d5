"""Overlays: only the contours of masks are coloured."""

import numpy as np
import pytest
from PIL import Image

from samcarry.formats.overlays import overlay, write_overlay
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
    write_overlay(tmp_path / "a.png", image, masks)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    pixels = np.asarray(Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(pixels, overlay(image, masks))
    colours = class_colours_8bit(3)
    assert [tuple(pixels[0, column].tolist()) for column in (0, 4, 8)] == [colours[0], (0, 0, 0), colours[2]]
