"""Random errors in masks."""

import numpy as np

from samcarry.audit.spoiling import spoil


def test_only_the_classes_concerned_change(cases):
    donors = [case.given for case in cases]
    donors[0] = donors[0].copy()
    donors[0][2] = False  # so that a class can be added or renamed
    counts = set()
    for seed in range(60):
        spoilt = spoil(donors[0], donors, np.random.default_rng(seed))
        assert spoilt is not None
        masks, concerned = spoilt
        changed = {index for index in range(5) if (masks[index] != donors[0][index]).any()}
        assert changed
        assert changed <= set(concerned)
        counts.add((len(concerned), masks.any(axis=(1, 2)).sum() - 4))
    # Removed and added masks, and exchanged ones, are among them.
    assert {(1, -1), (1, 1), (1, 0), (2, 0)} <= counts


def test_the_masks_that_are_spoilt_stay_as_they_are(cases):
    before = cases[0].given.copy()
    spoil(cases[0].given, [cases[1].given], np.random.default_rng(0))
    assert (cases[0].given == before).all()


def test_nothing_can_be_spoilt_where_nothing_is(cases):
    nothing = np.zeros_like(cases[0].given)
    assert spoil(nothing, [nothing], np.random.default_rng(0)) is None


def test_a_single_pixel_is_no_fault():
    masks = np.zeros((1, 8, 8), dtype=bool)
    masks[0, 4, 4] = True
    for seed in range(30):
        spoil(masks, [masks], np.random.default_rng(seed))
