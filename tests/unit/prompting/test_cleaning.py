"""Cleaning: Eq. 1 equals a brute-force implementation, and the morphology scikit-image."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import morphology

from samcarry.prompting.cleaning import (
    CleaningSettings,
    apply_morphology,
    clean,
    most_likely_component,
    structuring_element,
)

ELEMENTS = ("square", "disk", "diamond", "star")
NONE = CleaningSettings("none", "disk", 0)


def components(foreground):
    """Sets of 8-connected pixels, the one with the uppermost, then leftmost pixel first."""
    remaining = {(int(row), int(column)) for row, column in np.argwhere(foreground)}
    found = []
    while remaining:
        frontier = [min(remaining)]
        remaining.remove(frontier[0])
        component = set()
        while frontier:
            row, column = frontier.pop()
            component.add((row, column))
            around = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & remaining
            remaining -= around
            frontier += around
        found.append(component)
    return found


def eq_1(probability):
    """The component with the highest mean probability, the first of equal ones, by exact fractions."""
    best, best_mean = None, Fraction(-1)
    for component in components(probability > 127):
        mean = Fraction(sum(int(probability[pixel]) for pixel in component), len(component))
        if mean > best_mean:
            best, best_mean = component, mean
    return best


def pixels(mask):
    return None if mask is None else {(int(row), int(column)) for row, column in np.argwhere(mask)}


def square(size, *sides, shape=(40, 40)):
    """A mask with one square of a size at a position."""
    mask = np.zeros(shape, dtype=bool)
    row, column = sides
    mask[row : row + size, column : column + size] = True
    return mask


# ---- Eq. 1 ----------------------------------------------------------------------------------


def test_eq_1_equals_a_brute_force_implementation_on_two_thousand_maps():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        shape = rng.integers(1, 10, 2)
        probability = rng.integers(0, 256, shape).astype(np.uint8)
        probability[rng.random(shape) < rng.random()] = 0
        assert pixels(most_likely_component(probability)) == eq_1(probability)


def test_eq_1_equals_a_brute_force_implementation_where_most_components_tie():
    rng = np.random.default_rng(1)
    for _ in range(1000):
        probability = rng.choice(np.array([0, 200, 220], np.uint8), (7, 8), p=[0.75, 0.2, 0.05])
        assert pixels(most_likely_component(probability)) == eq_1(probability)


def test_the_more_likely_component_wins_over_the_larger_one():
    probability = np.zeros((20, 20), np.uint8)
    probability[2:10, 2:10] = 180
    probability[14:16, 14:16] = 181
    assert pixels(most_likely_component(probability)) == {(14, 14), (14, 15), (15, 14), (15, 15)}


def test_a_tiny_difference_of_mean_probability_decides():
    probability = np.full((100, 5), 0, np.uint8)
    probability[:, 0] = 200
    probability[:, 4] = 200
    probability[99, 4] = 201
    assert pixels(most_likely_component(probability)) == {(row, 4) for row in range(100)}


def test_of_equal_components_the_uppermost_is_taken():
    probability = np.zeros((8, 8), np.uint8)
    probability[5, 0] = probability[2, 6] = 200
    assert pixels(most_likely_component(probability)) == {(2, 6)}


def test_of_equal_components_in_one_row_the_leftmost_is_taken():
    probability = np.zeros((8, 8), np.uint8)
    probability[2, 6] = probability[2, 1] = 200
    assert pixels(most_likely_component(probability)) == {(2, 1)}


def test_pixels_that_touch_at_a_corner_are_one_component():
    probability = np.zeros((4, 4), np.uint8)
    probability[1, 1] = probability[2, 2] = 200
    assert pixels(most_likely_component(probability)) == {(1, 1), (2, 2)}


def test_a_probability_of_127_is_not_above_a_half():
    assert most_likely_component(np.full((3, 3), 127, np.uint8)) is None
    assert most_likely_component(np.full((3, 3), 128, np.uint8)).all()


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_choosing_a_component_again_changes_nothing(probability):
    once = most_likely_component(probability)
    if once is not None:
        twice = most_likely_component(np.where(once, probability, 0).astype(np.uint8))
        assert (twice == once).all()


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_the_result_is_one_component_within_the_foreground(probability):
    chosen = most_likely_component(probability)
    if chosen is not None:
        assert (probability[chosen] > 127).all()
        assert len(components(chosen)) == 1


# ---- structuring elements -------------------------------------------------------------------


WIDTHS = [("square", 8), ("disk", 17), ("diamond", 17), ("star", 25)]


@pytest.mark.parametrize(("element", "width"), WIDTHS)
def test_an_element_of_radius_8_is_as_wide_as_its_docstring_says(element, width):
    assert structuring_element(element, 8).shape == (width, width)


@pytest.mark.parametrize(("element", "width"), WIDTHS)
def test_a_single_pixel_dilated_is_as_wide_as_its_element(element, width):
    grown = apply_morphology(square(1, 20, 20), "dilation", structuring_element(element, 8))
    assert (grown.any(axis=0).sum(), grown.any(axis=1).sum()) == (width, width)


@pytest.mark.parametrize("element", ELEMENTS)
def test_radius_0_changes_nothing(element):
    mask = square(5, 3, 4)
    assert (apply_morphology(mask, "dilation", structuring_element(element, 0)) == mask).all()
    assert (apply_morphology(mask, "erosion", structuring_element(element, 0)) == mask).all()


def test_the_disk_is_round_and_the_diamond_is_not():
    disk, diamond = structuring_element("disk", 8), structuring_element("diamond", 8)
    rows, columns = np.mgrid[-8:9, -8:9]
    assert (disk == (rows**2 + columns**2 <= 64)).all()
    assert (diamond == (abs(rows) + abs(columns) <= 8)).all()


# ---- morphology -----------------------------------------------------------------------------


def random_masks(count):
    """Small masks of every density; many touch the border."""
    rng = np.random.default_rng(2)
    for _ in range(count):
        mask = rng.random(rng.integers(3, 14, 2)) < rng.choice([0.03, 0.3, 0.9])
        if mask.any():
            yield mask


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("radius", [1, 2, 3, 4])
def test_dilation_equals_skimages(element, radius):
    footprint = structuring_element(element, radius)
    for mask in random_masks(150):
        expected = morphology.dilation(mask, footprint, mode="ignore")
        assert (apply_morphology(mask, "dilation", footprint) == expected).all()


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("radius", [1, 2, 3, 4])
def test_erosion_equals_skimages_unless_nothing_is_left(element, radius):
    footprint = structuring_element(element, radius)
    even = 1 - len(footprint) % 2  # skimage shifts even elements; the odd one around it has one centre
    odd = np.pad(footprint, (0, even))
    for mask in random_masks(150):
        expected = morphology.erosion(mask, odd, mode="ignore")
        assert (apply_morphology(mask, "erosion", footprint) == (expected if expected.any() else mask)).all()


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("radius", range(1, 9))
def test_a_dilation_after_an_erosion_stays_within_the_mask(element, radius):
    mask = square(50, 5, 5, shape=(60, 60))
    mask[35:, 35:] = False
    footprint = structuring_element(element, radius)
    opened = apply_morphology(apply_morphology(mask, "erosion", footprint), "dilation", footprint)
    assert not (opened & ~mask).any()


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_erosion_with_a_disk_keeps_pixels_that_far_from_the_background(radius):
    rng = np.random.default_rng(3)
    for _ in range(100):
        mask = rng.random((9, 11)) < 0.95
        outside = np.argwhere(~mask)
        kept = {
            pixel
            for pixel in pixels(mask)
            if all((row - pixel[0]) ** 2 + (column - pixel[1]) ** 2 > radius**2 for row, column in outside)
        }
        assert pixels(apply_morphology(mask, "erosion", structuring_element("disk", radius))) == (
            kept or pixels(mask)
        )


@pytest.mark.parametrize("element", ELEMENTS)
def test_nothing_shrinks_at_the_border_of_the_image(element):
    mask = np.zeros((30, 40), dtype=bool)
    mask[:, :20] = True
    eroded = apply_morphology(mask, "erosion", structuring_element(element, 4))
    assert eroded[:, :12].all()
    assert not eroded[:, 19:].any()


@pytest.mark.parametrize("element", ELEMENTS)
def test_a_mask_that_fills_the_image_survives_erosion(element):
    full = np.ones((12, 9), dtype=bool)
    assert apply_morphology(full, "erosion", structuring_element(element, 8)).all()


@pytest.mark.parametrize("element", ELEMENTS)
def test_an_erosion_that_would_delete_a_class_leaves_it_unchanged(element):
    mask = square(3, 10, 10)
    assert (apply_morphology(mask, "erosion", structuring_element(element, 8)) == mask).all()


def test_the_mask_given_is_not_changed():
    mask = square(6, 10, 10)
    apply_morphology(mask, "dilation", structuring_element("disk", 3))
    assert (mask == square(6, 10, 10)).all()


# ---- all classes of a case ------------------------------------------------------------------


def test_each_class_is_cleaned_separately():
    probabilities = np.zeros((2, 10, 10), np.uint8)
    probabilities[0, 2:4, 2:4] = 200
    probabilities[0, 7, 7] = 190
    probabilities[1, 3:9, 3:9] = 150
    cleaned = clean(probabilities, NONE)
    assert pixels(cleaned[0]) == {(2, 2), (2, 3), (3, 2), (3, 3)}
    assert pixels(cleaned[1]) == pixels(probabilities[1] > 0)


@pytest.mark.parametrize("operation", ["none", "dilation", "erosion"])
def test_a_class_without_foreground_stays_empty(operation):
    probabilities = np.zeros((2, 20, 20), np.uint8)
    probabilities[0] = 127
    probabilities[1, 5:15, 5:15] = 255
    cleaned = clean(probabilities, CleaningSettings(operation, "disk", 2))
    assert not cleaned[0].any()
    assert cleaned[1].any()


def test_the_component_is_chosen_before_the_morphology():
    probabilities = np.zeros((1, 40, 40), np.uint8)
    probabilities[0, 10, 10] = 200
    probabilities[0, 12, 10] = 255  # a dilation would join the two
    cleaned = clean(probabilities, CleaningSettings("dilation", "diamond", 1))
    assert pixels(cleaned[0]) == {(12, 10), (11, 10), (13, 10), (12, 9), (12, 11)}


@given(
    arrays(np.uint8, (3, 9, 8)),
    st.sampled_from(["none", "dilation", "erosion"]),
    st.sampled_from(ELEMENTS),
    st.integers(0, 8),
)
def test_no_setting_deletes_or_invents_a_class(probabilities, operation, element, radius):
    cleaned = clean(probabilities, CleaningSettings(operation, element, radius))
    assert cleaned.any(axis=(1, 2)).tolist() == (probabilities > 127).any(axis=(1, 2)).tolist()
