"""Labelled cases that the presence step is fitted on, each seen by a network that did not learn from it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from samcarry.evaluation.dice import dice
from samcarry.presence.anatomy import Anatomy, find_objects, measure_anatomy, which_have_pixels
from samcarry.presence.evidence import measure_evidence
from samcarry.presence.judgement import Example
from samcarry.storage.probabilities import foreground

ALL = 0
"""The key of the anatomy of all cases in `anatomies_of`."""


def anatomies_of(masks: Mapping[str, NDArray[np.bool_]], folds: Mapping[str, int]) -> dict[int, Anatomy]:
    """The anatomy of the cases of X^n: of all (`ALL`), and of those outside of each fold.

    Args:
        masks: {case: masks (class, height, width)} of X^n.
        folds: {case: fold, from 1}; cases without a fold are in all anatomies.
    """
    objects = {case: find_objects(of_case) for case, of_case in masks.items()}
    own = {case: folds.get(case) for case in objects}
    anatomies = {ALL: measure_anatomy(list(objects.values()))}
    for fold in {fold for fold in own.values() if fold is not None}:
        anatomies[fold] = measure_anatomy([objects[case] for case in objects if own[case] != fold])
    return anatomies


def make_example(
    probabilities: NDArray[np.uint8], masks: NDArray[np.bool_], anatomy: Anatomy, *, fold: int, own: bool
) -> Example:
    """One labelled case.

    Args:
        probabilities: times 255 (C, height, width), of a network that did not learn from the case.
        masks: its labels (C, height, width).
        anatomy: of labelled cases without this one.
        fold: the fold of its patient, from 1.
        own: whether the network is the one whose masks are to be judged.
    """
    drawn = foreground(probabilities)
    scores = [dice(truth, mask) or 0.0 for truth, mask in zip(masks, drawn, strict=True)]
    evidence = measure_evidence(probabilities, anatomy)
    where = (which_have_pixels(drawn), which_have_pixels(masks))
    return Example(evidence, *where, np.array(scores), fold, own)
