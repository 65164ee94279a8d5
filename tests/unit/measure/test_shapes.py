"""Phantoms of known geometry: the error of each measurement is below a pixel."""

import math

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from samcarry.measure.expressions import ANGLE, DISTANCE, GAP
from samcarry.measure.rectangles import least_rectangles
from samcarry.measure.shapes import between, field_of, measure_shape
from support.measured_phantoms import bar, ellipse

SPACINGS = [(1.0, 1.0), (0.5, 0.25), (0.2, 0.3)]


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("degrees", [0, 7, 30, 45, 81, 90, 133])
def test_a_turned_bar(spacing, degrees):
    pixel = max(spacing)
    length, width = 90 * pixel, 24 * pixel
    distance = bar((200, 200), spacing, (97.3 * spacing[1], 103.8 * spacing[0]), length, width, degrees)
    shape = measure_shape(field_of(distance < 0), spacing)
    assert abs(shape.length - length) < pixel
    assert abs(shape.width - width) < pixel
    assert math.dist(shape.centre, (97.3 * spacing[1], 103.8 * spacing[0])) < pixel
    assert abs(shape.area - length * width) < 0.02 * length * width
    turned = math.degrees(math.acos(min(1, abs(np.dot(shape.axis, direction(degrees))))))
    assert turned < 0.5


def direction(degrees):
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("degrees", [0, 20, 45, 110])
def test_an_ellipse(spacing, degrees):
    pixel = max(spacing)
    half = 50 * pixel, 20 * pixel
    distance = ellipse((240, 240), spacing, (120 * spacing[1], 118 * spacing[0]), half, degrees)
    shape = measure_shape(field_of(distance < 0), spacing)
    assert abs(shape.length - 2 * half[0]) < pixel
    assert abs(shape.width - 2 * half[1]) < pixel
    assert abs(shape.area - math.pi * half[0] * half[1]) < 0.02 * shape.area


@pytest.mark.parametrize("degrees", [3, 30, 45, 76])
def test_probabilities_place_the_contour_between_pixels(degrees):
    distance = bar((160, 160), (1, 1), (80.2, 79.6), 90.4, 23.7, degrees)
    probability = np.clip(0.5 - distance / 4, 0, 1)
    shape = measure_shape(field_of(distance < 0, probability), (1, 1))
    assert abs(shape.length - 90.4) < 0.3
    assert abs(shape.width - 23.7) < 0.3


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(("first", "second"), [(0, 25), (10, 100), (80, 80)])
def test_the_angle_between_two_bars(spacing, first, second):
    pixel = max(spacing)
    shapes = [
        measure_shape(
            field_of(bar((340, 440), spacing, (x, x / 2), 80 * pixel, 15 * pixel, turn) < 0), spacing
        )
        for x, turn in ((90 * pixel, first), (120 * pixel, second))
    ]
    assert between(*shapes, ANGLE) == pytest.approx(min(second - first, 180 - second + first), abs=0.5)


@pytest.mark.parametrize("degrees", [0, 12, 45, 90])
@pytest.mark.parametrize("wide", [0.0, 3.5, 20.0])
def test_the_gap_between_two_bars(degrees, wide):
    across = np.array(direction(degrees + 90)) * (10 + wide / 2)
    shapes = [
        measure_shape(field_of(bar((220, 220), (1, 1), centre, 90, 20, degrees) < 0), (1, 1))
        for centre in (110 + across, 110 - across)
    ]
    assert between(*shapes, GAP) == pytest.approx(wide, abs=1)
    assert between(*shapes, DISTANCE) == pytest.approx(20 + wide, abs=0.5)


def test_the_gap_of_shapes_that_overlap_is_0():
    outer, inner, beside = (np.zeros((60, 60), bool) for _ in range(3))
    outer[5:55, 5:55] = inner[25:30, 25:30] = beside[10:20, 50:58] = True
    shapes = [measure_shape(field_of(mask), (1, 1)) for mask in (outer, inner, beside)]
    assert between(shapes[0], shapes[1], GAP) == 0
    assert between(shapes[1], shapes[0], GAP) == 0
    assert between(shapes[0], shapes[2], GAP) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_the_smallest_masks_and_those_at_the_border_can_be_measured(shape):
    found = measure_shape(field_of(np.ones(shape, bool)), (1, 1))
    assert found.area == shape[0] * shape[1]
    assert abs(found.length - max(shape)) <= 1
    assert abs(found.width - min(shape)) <= 1


def test_an_empty_mask_has_no_measurements():
    assert measure_shape(field_of(np.zeros((4, 5), bool)), (1, 1)) is None


def test_a_part_of_an_image_is_measured_at_its_place():
    mask = np.zeros((50, 60), bool)
    mask[20:30, 30:50] = True
    whole, part = measure_shape(field_of(mask), (2, 1)), measure_shape(field_of(mask[15:]), (2, 1), (15, 0))
    assert whole.centre == part.centre == (40, 50)
    np.testing.assert_array_equal(whole.outline.contour, part.outline.contour)


@pytest.mark.parametrize("seed", range(8))
def test_the_least_rectangle_is_the_least_of_those_on_each_side_of_the_hull(seed):
    """Also where sides are parallel and several rectangles are as small."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 200))
    points = rng.integers(0, 12, (count, 2)) / 2 if seed % 2 else rng.normal(50, [9, 3], (count, 2))
    hull = points[ConvexHull(points).vertices]
    edges = np.roll(hull, -1, axis=0) - hull
    along = edges / np.linalg.norm(edges, axis=1, keepdims=True)
    across = np.column_stack([-along[:, 1], along[:, 0]])
    sides = np.stack([np.ptp(hull @ along.T, axis=0), np.ptp(hull @ across.T, axis=0)])
    expected = sorted(sides[:, int(np.argmin(sides.prod(axis=0)))], reverse=True)
    found = least_rectangles(points, np.zeros(count, int), 1)
    assert np.ravel(found) == pytest.approx(expected, rel=1e-12)
