"""Statistics of X^n: grey values and class weights, from its cases only."""

import logging

import numpy as np
import pytest

from samcarry.networks.subset_statistics import subset_statistics

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 20, 30), dtype=np.uint8)
MASKS = np.zeros((3, 2, 20, 30), dtype=bool)  # 1800 pixels a class
MASKS[0, 0, :10, :30] = True  # 300 of 'radius'
MASKS[1, 1, 0, :3] = True  # 3 of 'ulna'


def statistics(images=IMAGES, masks=MASKS, cases=("a", "b", "c"), cap=1000.0):
    return subset_statistics(images, masks, cases, ("radius", "ulna"), cap)


def test_mean_and_deviation_are_those_of_all_pixels_from_0_to_1():
    found = statistics()
    assert found.mean == pytest.approx(np.mean(IMAGES / 255), rel=1e-12)
    assert found.std == pytest.approx(np.std(IMAGES / 255), rel=1e-12)


def test_the_positive_weight_is_background_over_foreground():
    assert statistics().positive_weight == ((1800 - 300) / 300, (1800 - 3) / 3)


def test_a_rare_class_gets_the_cap():
    assert statistics(cap=100.0).positive_weight == (5.0, 100.0)


def test_an_absent_class_gets_the_cap_and_a_warning_that_names_it(caplog):
    with caplog.at_level(logging.WARNING):
        found = statistics(IMAGES[:1], MASKS[:1], ("a",), cap=77.0)
    assert found.positive_weight == ((600 - 300) / 300, 77.0)
    assert len(caplog.messages) == 1
    assert "X^1" in caplog.messages[0]
    assert "ulna" in caplog.messages[0]
    assert "radius" not in caplog.messages[0]


def test_no_warning_where_every_class_has_an_example(caplog):
    with caplog.at_level(logging.WARNING):
        statistics()
    assert caplog.messages == []


def test_a_class_that_fills_every_image_gets_weight_0():
    assert statistics(masks=np.ones_like(MASKS)).positive_weight == (0.0, 0.0)


def test_a_constant_image_does_not_divide_by_zero():
    assert statistics(images=np.full_like(IMAGES, 90)).std == pytest.approx(1 / 255)


def test_cases_and_classes_are_kept():
    found = statistics()
    assert (found.cases, found.classes) == (("a", "b", "c"), ("radius", "ulna"))
