"""What labelled cases show of the classes."""

import numpy as np
import pytest

from samcarry.presence.anatomy import find_objects, measure_anatomy
from samcarry.presence.examples import ALL, anatomies_of


def masks_with(*boxes, size=(20, 30)):
    """Masks (class, *size) with a box (top, bottom, left, right) each, or none."""
    masks = np.zeros((len(boxes), *size), bool)
    for mask, box in zip(masks, boxes, strict=True):
        if box:
            mask[box[0] : box[1], box[2] : box[3]] = True
    return masks


def test_objects_have_areas_and_centres_in_pixels():
    objects = find_objects(masks_with((2, 4, 10, 15), None))
    assert objects.areas.tolist() == [10, 0]
    assert objects.centres.tolist() == [[2.5, 12], [0, 0]]


def test_the_anatomy_has_means_spreads_and_counts_of_present_classes_only():
    cases = [
        find_objects(masks_with((0, 2, 0, 2), (10, 14, 20, 24))),
        find_objects(masks_with((2, 4, 0, 2), None)),
        find_objects(masks_with((4, 6, 0, 2), (12, 14, 20, 22))),
    ]
    anatomy = measure_anatomy(cases)
    assert anatomy.cases == 3
    assert anatomy.together.tolist() == [[3, 2], [2, 2]]
    assert anatomy.area == pytest.approx([np.log(4), (np.log(16) + np.log(4)) / 2])
    assert anatomy.centre[0] == pytest.approx([2.5, 0.5])
    assert anatomy.centre[1] == pytest.approx([12, 21])
    assert anatomy.centre_spread[0] == pytest.approx([np.sqrt(8 / 3 + 1), 1])
    assert (anatomy.area_spread > 0).all()


def test_a_class_that_is_never_there_has_the_means_of_the_others():
    anatomy = measure_anatomy([find_objects(masks_with((0, 4, 0, 4), None))] * 2)
    assert anatomy.area[1] == anatomy.area[0]
    assert anatomy.centre[1].tolist() == anatomy.centre[0].tolist()
    assert np.isfinite(anatomy.area_spread).all()
    nothing = measure_anatomy([find_objects(masks_with(None, None))])
    assert np.isfinite(nothing.area).all()
    assert (nothing.centre_spread > 0).all()


def test_the_anatomy_of_a_fold_does_not_know_the_cases_of_the_fold():
    masks = {"a": masks_with((0, 2, 0, 2)), "b": masks_with((0, 4, 0, 4)), "c": masks_with(None)}
    anatomies = anatomies_of(masks, {"a": 1, "b": 2, "c": 1})
    assert sorted(anatomies) == [ALL, 1, 2]
    assert anatomies[1].cases == 1
    assert anatomies[1].area == pytest.approx([np.log(16)])
    assert anatomies[2].area == pytest.approx([np.log(4)])
    assert anatomies[ALL].cases == 3
