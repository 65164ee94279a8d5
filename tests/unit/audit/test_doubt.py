"""Evidence against masks, and how doubtful it makes them."""

import numpy as np
import pytest

from samcarry.audit.doubt import view_cases
from samcarry.audit.evidence import OF_GAP, OF_MASK, look, measure_evidence, measure_norms


@pytest.fixture
def measure(cases):
    """The evidence against masks of the first case."""
    norms = measure_norms(cases)
    sight = look(cases[0], norms)
    return lambda masks: measure_evidence(masks, cases[0], sight, norms)


def of_mask(evidence, index, name):
    return evidence.masks[index, OF_MASK.index(name)]


def test_a_mask_that_is_cut_off_is_too_small_and_smaller(cases, measure):
    cut = cases[0].given.copy()
    cut[2, 24:] = False
    before, after = measure(cases[0].given), measure(cut)
    for name in ("lacks", "too small", "smaller"):
        assert of_mask(after, 2, name) > of_mask(before, 2, name) + 0.3


def test_a_mask_that_the_image_cuts_off_is_not_too_small(cases, measure):
    cut = cases[0].given.copy()
    cut[2] = False
    cut[2, :3, 38:42] = True
    assert of_mask(measure(cut), 2, "too small") == 0


def test_a_mask_on_another_one_overlaps_and_has_a_rival(cases, measure):
    masks = cases[0].given.copy()
    masks[1] = masks[2]
    evidence = measure(masks)
    assert of_mask(evidence, 1, "overlap") == 1
    assert of_mask(evidence, 1, "rival") > 0.8


def test_a_gap_that_another_mask_covers_is_a_weaker_claim(cases, measure):
    masks = cases[0].given.copy()
    masks[1] = False
    free = measure(masks).gaps[1]
    masks[2] |= cases[0].given[1]
    covered = measure(masks).gaps[1]
    assert covered[OF_GAP.index("covered")] > 0.9
    assert covered[OF_GAP.index("free claim")] < 0.2 * free[OF_GAP.index("free claim")]


def test_given_masks_are_less_doubtful_than_wrong_ones(cases):
    view = view_cases(cases)[0]
    grown = cases[0].given.copy()
    grown[2] = np.roll(grown[2], 6, axis=1)
    assert view.of_given[0].max() < view.doubts(grown)[0, 2]
    assert view.doubts(grown)[0, 2] > 3


def test_masks_that_are_all_wrong_do_not_excuse_each_other(cases):
    view = view_cases(cases)[0]
    single, whole = view.doubts(np.roll(cases[0].given, 12, axis=1)).sum(axis=1)
    assert whole > single


def test_a_missing_class_is_doubtful_although_no_label_shows_an_absence(cases):
    view = view_cases(cases)[0]
    masks = cases[0].given.copy()
    masks[3] = False
    assert view.doubts(masks)[0, 3] > 2
