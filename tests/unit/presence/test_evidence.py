"""Evidence that a class is there."""

import numpy as np
import pytest

from samcarry.presence.anatomy import find_objects, measure_anatomy
from samcarry.presence.evidence import NAMES, measure_evidence

SIZE = (24, 60)


def row_of_teeth(present=(True,) * 5, shift=0, value=250):
    """Probabilities (5, *SIZE): boxes of 6 x 6 beside each other."""
    probabilities = np.zeros((5, *SIZE), np.uint8)
    for index, there in enumerate(present):
        left = 4 + 11 * index + shift
        probabilities[index, 8:14, left : left + 6] = value if there else 0
    return probabilities


def anatomy_of(*cases):
    return measure_anatomy([find_objects(case > 127) for case in cases])


ANATOMY = anatomy_of(row_of_teeth(), row_of_teeth(shift=1), row_of_teeth(shift=-1))


def column(evidence, name):
    return evidence[:, NAMES.index(name)]


def test_a_usual_case_has_strong_evidence_of_all_classes():
    evidence = measure_evidence(row_of_teeth(), ANATOMY)
    assert evidence.shape == (5, 7)
    assert np.isfinite(evidence).all()
    assert column(evidence, "area") == pytest.approx(0, abs=1e-9)
    assert column(evidence, "place") == pytest.approx(0, abs=1e-9)
    assert column(evidence, "probability") == pytest.approx(np.log(250 / 5), abs=1e-6)
    assert column(evidence, "largest") == pytest.approx(np.log(250 / 5), abs=1e-6)


def test_a_small_mask_has_less_probability_and_area():
    probabilities = row_of_teeth()
    probabilities[2] = 0
    probabilities[2, 10:12, 28:30] = 250
    usual, small = (measure_evidence(each, ANATOMY)[2] for each in (row_of_teeth(), probabilities))
    for name in ("probability", "area"):
        assert small[NAMES.index(name)] < usual[NAMES.index(name)] - 1


def test_a_class_that_is_not_drawn_still_has_evidence():
    evidence = measure_evidence(row_of_teeth((True, True, False, True, True)), ANATOMY)
    assert np.isfinite(evidence).all()
    assert column(evidence, "probability")[2] < -5
    assert column(evidence, "area")[2] == pytest.approx(-8)
    assert column(evidence, "place")[2] == 0


def test_a_place_counts_relative_to_the_neighbours():
    together = measure_evidence(row_of_teeth(shift=3), ANATOMY)
    alone = row_of_teeth()
    alone[2] = np.roll(alone[2], 3, axis=1)
    assert column(together, "place")[2] < 0.3
    assert column(measure_evidence(alone, ANATOMY), "place")[2] > 2


def test_company_follows_what_occurs_together():
    pairs = [row_of_teeth((True, True, there, there, True)) for there in (True, False) * 4]
    anatomy = anatomy_of(*pairs)
    without = row_of_teeth((True, True, True, False, True))
    evidence = [column(measure_evidence(each, anatomy), "company")[2] for each in (row_of_teeth(), without)]
    assert evidence[0] > 1 > -1 > evidence[1]


def test_share_is_that_of_the_labelled_cases():
    anatomy = anatomy_of(*[row_of_teeth((True, True, there, True, True)) for there in (True, False, False)])
    share = column(measure_evidence(row_of_teeth(), anatomy), "share")
    assert share[2] == pytest.approx(np.log(1.5 / 2.5))
    assert share[0] == pytest.approx(np.log(3.5 / 0.5))


def test_a_single_class_has_no_company():
    anatomy = anatomy_of(row_of_teeth()[:1], row_of_teeth(shift=1)[:1])
    evidence = measure_evidence(row_of_teeth()[:1], anatomy)
    assert np.isfinite(evidence).all()
    assert column(evidence, "company").tolist() == [0]
    assert column(evidence, "case").tolist() == [0]


def test_an_empty_case_and_classes_that_no_case_has_are_no_exception():
    nothing = np.zeros((5, *SIZE), np.uint8)
    assert np.isfinite(measure_evidence(nothing, ANATOMY)).all()
    assert np.isfinite(measure_evidence(row_of_teeth(), anatomy_of(nothing))).all()
