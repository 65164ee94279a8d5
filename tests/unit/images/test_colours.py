"""Class colours differ clearly and are the same in figures and in files."""

import numpy as np
import pytest

from samcarry.images.colours import class_colours, class_colours_8bit


@pytest.mark.parametrize("count", [8, 17, 32])
def test_no_two_classes_share_a_colour(count):
    colours = np.array(class_colours(count))[:, :3]
    distances = np.abs(colours[:, None] - colours[None]).sum(axis=-1) + 9 * np.eye(count)
    assert distances.min() > 0.05


def test_neighbouring_classes_have_colours_far_apart():
    colours = np.array(class_colours(32))[:, :3]
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 0.8


def test_a_colour_does_not_depend_on_the_number_of_classes():
    assert class_colours(32)[:8] == class_colours(8)


def test_colours_in_8_bits_are_the_rounded_ones():
    exact = 255 * np.array(class_colours(32))[:, :3]
    assert np.abs(np.array(class_colours_8bit(32)) - exact).max() <= 0.5
    assert class_colours_8bit(1) == [(255, 51, 51)]
