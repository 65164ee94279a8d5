"""The findings of an audit: for each case the corrections that explain most, the least likely first."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samcarry.audit.agreement import Judged, Usual, usual_agreement
from samcarry.audit.chance import Null, measure_null
from samcarry.audit.explanations import (
    WHOLE_CASE,
    Proposal,
    copied_labels,
    fits_of,
    of_other_image,
    of_whole_case,
    redraw_gains,
    renamed,
    single,
    usual_centres,
)

_WORTH_LISTING = 1.0
"""Findings of which chance gives more than this many for each case are not listed."""

_SUSPECT = 0.2
"""Only cases whose classes together disagree so much that chance gives it in fewer cases than this share are
compared with all other images, mirrored and moved."""

_EXPLAINED = 0.6
"""Share of the disagreement of its classes that a correction without a new mask has to explain."""


_UNLIKELY = 0.5
"""A case with a finding of which chance gives fewer than this is not used to measure what is usual."""

_NEVER = 1e-6
"""For what chance never gives, such as two labels that are equal in every pixel; no number is smaller."""


@dataclass(frozen=True)
class Finding:
    """One likely error.

    Attributes:
        case: name of the case.
        proposal: what seems to be wrong.
        by_chance: how many findings at least as strong chance gives in a data set of this size.
    """

    case: str
    proposal: Proposal
    by_chance: float


def audit(cases: Sequence[Judged]) -> list[Finding]:
    """The findings in all cases, the least likely by chance first.

    What is usual is measured twice: the second time without the cases in which the first time found something
    that is unlikely by chance, so that errors do not pass for usual.
    """
    if not cases:
        return []
    first = _find(cases, np.ones(len(cases), dtype=bool))
    doubted = {finding.case for finding in first if finding.by_chance < _UNLIKELY}
    trusted = np.array([case.case not in doubted for case in cases])
    return _find(cases, trusted) if doubted and trusted.any() else first


def _find(cases: Sequence[Judged], trusted: NDArray[np.bool_]) -> list[Finding]:
    """The findings in all cases, judged by what is usual in the trusted ones (case,)."""
    sound = [case for case, is_trusted in zip(cases, trusted, strict=True) if is_trusted]
    usual, centres = usual_agreement(sound), usual_centres(sound)
    null = measure_null(np.array([redraw_gains(case, usual) for case in cases]), trusted)
    by_name = {case.case: case for case in cases}
    copied = copied_labels(cases, usual)
    found = []
    for place, case in enumerate(cases):
        proposals = [*renamed(case, usual, centres), *single(case, usual)]
        if null.chance_of_case(null.gains[place].sum()) < _SUSPECT * len(cases):
            proposals += _of_suspect(case, by_name, usual)
        if case.case in copied:
            proposals.append(copied[case.case])
        found += _explain(case, place, proposals, null)
    return sorted(found, key=lambda finding: finding.by_chance)


def _of_suspect(case: Judged, by_name: Mapping[str, Judged], usual: Usual) -> Iterator[Proposal]:
    yield from of_whole_case(case, usual)
    others = {name: other for name, other in by_name.items() if name != case.case}
    elsewhere = of_other_image(case, others, usual, fits_of(case, list(others.values())))
    if elsewhere:
        yield elsewhere


def _explain(case: Judged, place: int, proposals: Sequence[Proposal], null: Null) -> list[Finding]:
    """The best explanation, the best one of the classes that it does not concern, and so on."""
    left = [
        one
        for one in proposals
        if one.certain or one.gain > _EXPLAINED * null.gains[place][_concerned(one, null)].sum()
    ]
    found: list[Finding] = []
    wrong: set[int] = set()
    while left:
        judged = [Finding(case.case, one, max(_NEVER, _by_chance(one, place, null, wrong))) for one in left]
        # Of two explanations that chance never gives, the one that explains more.
        best = min(judged, key=lambda finding: (finding.by_chance, -finding.proposal.gain))
        if best.by_chance > _WORTH_LISTING * len(null.gains):
            break
        found.append(best)
        explained = set(_concerned(best.proposal, null))
        wrong |= explained if best.by_chance < _UNLIKELY else set()
        left = [one for one in left if not explained & set(_concerned(one, null))]
    return found


def _concerned(proposal: Proposal, null: Null) -> list[int]:
    """The classes that a proposal concerns: all if it concerns the whole case."""
    if proposal.kind in WHOLE_CASE:
        return list(range(null.gains.shape[1]))
    return sorted({*proposal.classes, *proposal.to})


def _by_chance(proposal: Proposal, place: int, null: Null, wrong: Collection[int]) -> float:
    """Of several classes, the smaller of two: what chance gives of all together, and of the strongest one."""
    if proposal.certain:
        return _NEVER
    if proposal.kind in WHOLE_CASE:
        return null.chance_of_case(proposal.gain)
    concerned, gains = _concerned(proposal, null), null.gains[place]
    strongest = max(concerned, key=lambda index: gains[index])
    of_one = null.chance_of_classes(place, [strongest], min(gains[strongest], proposal.gain), wrong)
    if len(concerned) == 1:
        return of_one
    return min(of_one, null.chance_of_classes(place, concerned, proposal.gain, wrong))
