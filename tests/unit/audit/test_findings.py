"""Errors that are planted into labels without any error."""

import re

import numpy as np
import pytest

from samcarry.audit.agreement import Judged
from samcarry.audit.findings import audit
from samcarry.audit.words import sentence

CLASSES = ("left", "inner left", "middle", "inner right", "right")
LEFT, INNER_LEFT, MIDDLE, INNER_RIGHT, RIGHT = range(5)


def without(masks, index):
    masks[index] = False
    return masks


def swapped(masks, one, other):
    masks[[one, other]] = masks[[other, one]]
    return masks


def renamed(masks, order):
    return masks[list(order)]


def wrongly_named(masks):
    """A mask of the middle under the name of the one beside it, which is not there."""
    masks[INNER_RIGHT], masks[MIDDLE] = masks[MIDDLE].copy(), False
    return masks


def moved(masks, rows, columns, indices=slice(None)):
    masks[indices] = np.roll(masks[indices], (rows, columns), axis=(-2, -1))
    return masks


def cut(masks, index):
    masks[index, 24:] = False
    return masks


def grown(masks, index):
    masks[index] |= np.roll(masks[index], 5, axis=1) | np.roll(masks[index], -5, axis=1)
    return masks


ERRORS = {
    "swapped": (
        lambda masks: swapped(masks, MIDDLE, INNER_RIGHT),
        "middle and inner right look swapped",
    ),
    "sides": (
        lambda masks: swapped(masks, LEFT, RIGHT),
        "exchanged: left looks like right",
    ),
    "numbering": (lambda masks: renamed(masks, [1, 2, 3, 4, 0]), "numbering looks shifted"),
    "missing": (lambda masks: without(masks, MIDDLE), "middle has no mask"),
    "shifted": (
        lambda masks: moved(masks, 0, 5, MIDDLE),
        "middle looks shifted, by 6 % of the width",
    ),
    "all shifted": (lambda masks: moved(masks, -8, 6), "width to the right and 17 % of the height up"),
    "mirrored": (lambda masks: masks[:, :, ::-1], "look mirrored"),
    "upside down": (lambda masks: moved(masks, 8, 0)[:, ::-1], "shifted|upside down"),
    "cut off": (lambda masks: cut(masks, RIGHT), "right looks cut off|right looks shifted"),
    "leaking": (lambda masks: grown(masks, MIDDLE), "middle looks too large"),
    "elsewhere": (lambda masks: moved(masks, 0, 40, LEFT), "left has a mask, but|left looks shifted"),
}


@pytest.mark.parametrize(("how", "expected"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_the_first_finding_and_named(planted, how, expected):
    first, *rest = audit(planted(how))
    assert first.case == "case 3"
    assert first.by_chance < 0.1
    assert re.search(expected, sentence(first.proposal, CLASSES)), sentence(first.proposal, CLASSES)
    assert all(finding.by_chance > 0.1 for finding in rest if finding.case != "case 3")


def test_labels_without_an_error_have_no_unlikely_finding(cases):
    assert all(finding.by_chance > 0.1 for finding in audit(cases))


def test_a_mask_under_a_wrong_name_is_named(cases):
    # The networks see no inner right in any of them, so that its absence is usual.
    absent = [
        Judged(c.case, without(c.given.copy(), INNER_RIGHT), without_seen(c.seen), c.networks) for c in cases
    ]
    wrong = absent[3]
    absent[3] = Judged(wrong.case, wrongly_named(wrong.given), wrong.seen, wrong.networks)
    first = audit(absent)[0]
    assert sentence(first.proposal, CLASSES) == (
        "The mask of inner right looks like middle, which has no mask here."
    )


def without_seen(seen):
    seen = seen.copy()
    seen[INNER_RIGHT] = 0
    return seen


def test_a_class_that_networks_do_not_see_is_extra(cases):
    absent = [
        Judged(c.case, without(c.given.copy(), INNER_RIGHT), without_seen(c.seen), c.networks) for c in cases
    ]
    absent[3] = Judged("case 3", cases[3].given, absent[3].seen, 2)
    first = audit(absent)[0]
    assert sentence(first.proposal, CLASSES).startswith(
        "inner right has a mask, but the networks do not see it"
    )


def test_labels_of_another_image_are_found_with_its_name(cases):
    far = moved(cases[20].given.copy(), 7, 0), moved(cases[20].seen.copy(), 7, 0)
    cases[20] = Judged("case 20", *far, 2)
    cases[3] = Judged("case 3", moved(far[0].copy(), 0, 1), cases[3].seen, 2)  # no copy pixel by pixel
    first = audit(cases)[0]
    assert first.case == "case 3"
    assert first.proposal.kind in ("other image", "all shifted")


def test_a_copy_of_labels_needs_no_network(cases):
    cases[3] = Judged("case 3", cases[8].given, cases[3].seen, 2)
    first = audit(cases)[0]
    assert (first.case, first.proposal.kind, first.proposal.detail) == ("case 3", "other image", "case 8")
    assert first.by_chance == 1e-6


def test_the_wrong_half_of_a_case_is_explained_once(planted):
    findings = audit(planted(lambda masks: masks[:, :, ::-1]))
    assert [finding.case for finding in findings].count("case 3") == 1


def test_two_errors_in_one_case_are_two_findings(planted):
    found = [
        finding.proposal.kind
        for finding in audit(planted(lambda masks: without(swapped(masks, LEFT, INNER_LEFT), RIGHT)))
        if finding.case == "case 3"
    ]
    assert sorted(found) == ["missing", "swapped"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_cases_are_no_fault(cases, count):
    assert isinstance(audit(cases[:count]), list)


def test_one_class_is_no_fault(cases):
    single = [Judged(c.case, c.given[:1], c.seen[:1], 1) for c in cases]
    assert all(finding.by_chance > 0.1 for finding in audit(single))
    single[3] = Judged("case 3", moved(single[3].given.copy(), 0, 40), single[3].seen, 1)
    assert audit(single)[0].case == "case 3"


def test_cases_without_any_mask_are_no_fault(cases):
    empty = [Judged(c.case, np.zeros_like(c.given), np.zeros_like(c.seen), 1) for c in cases]
    assert audit(empty) == []
