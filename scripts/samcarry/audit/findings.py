"""The findings of an audit: for each case the corrections that explain most, the least likely first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samcarry.audit.agreement import Judged
from samcarry.audit.chance import Null, measure_null
from samcarry.audit.doubt import View, view_cases
from samcarry.audit.explanations import (
    WHOLE_CASE,
    Proposal,
    copied_labels,
    fits_of,
    of_other_image,
    of_whole_case,
    renamed,
    single,
    usual_centres,
)

_WORTH_LISTING = 1.0
"""Findings of which chance gives more than this many for each case are not listed."""

_SUSPECT = 0.3
"""Only this share of the cases, those whose labels are most doubtful, are compared with all other images,
mirrored and moved."""

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

    What chance gives is measured twice: the second time without the cases in which the first time found
    something that is unlikely by chance, so that errors do not pass for usual.
    """
    if not cases:
        return []
    views = view_cases(cases)
    proposals = _propose(views)
    first = _explain_all(views, proposals, np.ones(len(cases), dtype=bool))
    doubted = {finding.case for finding in first if finding.by_chance < _UNLIKELY}
    trusted = np.array([case.case not in doubted for case in cases])
    return _explain_all(views, proposals, trusted) if doubted and trusted.any() else first


def _propose(views: Sequence[View]) -> list[list[Proposal]]:
    """Corrections of each case."""
    centres = usual_centres([view.case for view in views])
    copied, by_name = copied_labels(views), {view.case.case: view for view in views}
    totals = np.array([view.redraw_gains[1].sum() for view in views])
    suspect = totals >= np.quantile(totals, 1 - _SUSPECT)
    found = []
    for view, is_suspect in zip(views, suspect, strict=True):
        proposals = [*renamed(view, centres), *single(view)]
        if is_suspect:
            proposals += _of_suspect(view, by_name)
        if view.case.case in copied:
            proposals.append(copied[view.case.case])
        found.append(proposals)
    return found


def _explain_all(
    views: Sequence[View], proposals: Sequence[Sequence[Proposal]], trusted: NDArray[np.bool_]
) -> list[Finding]:
    """The findings in all cases, judged by what chance gives in the trusted ones (case,)."""
    gains = np.array([view.redraw_gains for view in views])
    null = measure_null(gains[:, 0], gains[:, 1].sum(axis=1), trusted)
    found = [
        finding
        for place, (view, of_case) in enumerate(zip(views, proposals, strict=True))
        for finding in _explain(view.case, place, of_case, null)
    ]
    return sorted(found, key=lambda finding: finding.by_chance)


def _of_suspect(view: View, by_name: Mapping[str, View]) -> Iterator[Proposal]:
    yield from of_whole_case(view)
    others = {name: other for name, other in by_name.items() if name != view.case.case}
    elsewhere = of_other_image(view, others, fits_of(view.case, [other.case for other in others.values()]))
    if elsewhere:
        yield elsewhere


def _explain(case: Judged, place: int, proposals: Sequence[Proposal], null: Null) -> list[Finding]:
    """The best explanation, the best one of the classes that it does not concern, and so on."""
    judged = [
        Finding(case.case, one, max(_NEVER, _by_chance(one, place, null)))
        for one in proposals
        if one.certain or one.gain > _EXPLAINED * _explicable(one, place, null)
    ]
    # Of two explanations that chance never gives, the one that explains more.
    judged.sort(key=lambda finding: (finding.by_chance, -finding.proposal.gain))
    found: list[Finding] = []
    explained: set[int] = set()
    for finding in judged:
        concerned = set(_concerned(finding.proposal, null))
        if finding.by_chance <= _WORTH_LISTING * len(null.gains) and not explained & concerned:
            found.append(finding)
            explained |= concerned
    return found


def _concerned(proposal: Proposal, null: Null) -> list[int]:
    """The classes that a proposal concerns: all if it concerns the whole case."""
    if proposal.kind in WHOLE_CASE:
        return list(range(null.gains.shape[1]))
    return sorted({*proposal.classes, *proposal.to})


def _explicable(proposal: Proposal, place: int, null: Null) -> float:
    """The most that any correction of the classes concerned explains."""
    if proposal.kind in WHOLE_CASE:
        return float(null.of_whole[place])
    return float(null.gains[place, _concerned(proposal, null)].sum())


def _by_chance(proposal: Proposal, place: int, null: Null) -> float:
    """Of several classes, the smaller of two: what chance gives of all together, and of the strongest one."""
    if proposal.certain:
        return _NEVER
    if proposal.kind in WHOLE_CASE:
        return null.chance_of_case(proposal.gain)
    concerned = _concerned(proposal, null)
    strongest = null.gains[place, concerned].max()
    of_one = null.chance_of_class(min(strongest, proposal.gain))
    return (
        of_one if len(concerned) == 1 else min(of_one, null.chance_of_classes(len(concerned), proposal.gain))
    )
