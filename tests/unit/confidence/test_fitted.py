"""What is fitted on validation cases is stored in model files, and damage of it is found."""

import json
import math

import numpy as np
import pytest

from samcarry.confidence.calibration import STORED
from samcarry.confidence.fitted import (
    confidence_as_json,
    dice_at_least,
    fit_confidence,
    read_confidence,
)
from samcarry.confidence.measures import TOLERANCE, expected_dice, measure
from samcarry.confidence.shown import shown_images
from support.unsure_cases import CLASSES, measured_cases


def fitted(count=12):
    rng = np.random.default_rng(0)
    shown = shown_images(rng.normal(size=(9, 6)), rng.normal(size=(4, 6)), list("abcd"))
    return fit_confidence(measured_cases(count), CLASSES, shown)


def test_a_model_file_keeps_it():
    confidence = fitted()
    entry = json.loads(json.dumps(confidence_as_json(confidence)))
    again = read_confidence(entry, len(CLASSES))
    assert again.classes == confidence.classes
    assert (again.patients, again.excess) == (confidence.patients, confidence.excess)
    assert again.shown.usual == confidence.shown.usual
    assert confidence_as_json(again) == entry


def test_scores_are_by_patient():
    one = fitted().classes[0]
    assert len(one.outer) == len(one.inner) == 12
    assert list(one.outer) == sorted(one.outer)
    assert min(one.outer + one.inner) >= 0
    twice = [part for case in "xy" for part in measured_cases(12, prefix=case)]
    assert len(fit_confidence(twice, CLASSES).classes[0].outer) == 12


def test_an_absent_class_has_no_scores_and_a_missed_one_is_counted():
    truth, values = np.zeros((20, 20), bool), np.zeros((20, 20), np.uint8)
    absent = measure("1", "p", "a", values, truth)
    assert not absent.present
    assert math.isnan(absent.outer)
    assert math.isnan(absent.dice)
    truth[5:9, 5:9] = True
    missed = measure("2", "q", "a", values, truth)
    assert (missed.present, missed.is_drawn, missed.dice) == (True, False, 0)
    assert math.isnan(missed.outer)
    [one] = fit_confidence([absent, missed], ["a"]).classes
    assert (one.outer, one.inner, one.excess, one.missed) == ((), (), (0,), 1)


def test_expected_dice_is_that_of_the_probabilities():
    drawn = np.zeros(256, np.int64)
    assert expected_dice(drawn, STORED) == 0
    drawn[255], drawn[51] = 10, 20
    assert expected_dice(drawn, STORED) == pytest.approx(2 * 10 / (10 + 14))


def test_bounds_of_dice_are_between_0_and_1():
    excess = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    assert dice_at_least(0.9, excess, 0.9) == pytest.approx(0.1)
    assert dice_at_least(0.5, excess, 0.9) == 0
    assert dice_at_least(0.5, excess[1:], 0.9) is None
    assert dice_at_least(0.9, [-0.3] * 9, 0.9) == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 2},
        {"tolerance": 2 * TOLERANCE},
        {"temperature": [1.0]},
        {"temperature": [1.0, 0.0]},
        {"temperature": [1.0, math.nan]},
        {"temperature": 1.0},
        {"outer": [[1.0], ["x"]]},
        {"inner": [[1.0], [math.inf]]},
        {"excess": [math.nan]},
        {"missed": [0, None]},
        {"shown": {}},
    ],
)
def test_damage_is_found(damage):
    entry = {**confidence_as_json(fitted()), **damage}
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_confidence(entry, len(CLASSES))
