"""What speaks against a given mask: the networks that did not learn from it, and the other labels.

Weak networks fail where labels are right, and then only the shape and the place of a mask say something;
strong networks say more than its shape does. How much each kind of evidence counts is learned, see `doubt`.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.audit.agreement import Judged, Usual, agreements, sureness, usual_agreement
from samcarry.presence.anatomy import Anatomy, Objects, find_objects
from samcarry.presence.evidence import company_of, distance_from_usual
from samcarry.storage.probabilities import foreground

OF_MASK = (
    "lacks",
    "corrected",
    "unseen",
    "rival",
    "overlap",
    "too large",
    "too small",
    "place",
    "larger",
    "smaller",
    "sure",
    "difficult",
    "seen",
    "rough",
)
"""The kinds of evidence against a mask, in the order of `Evidence.masks`."""

OF_GAP = ("claim", "rare claim", "area", "place", "covered", "rival", "company", "free claim", "share")
"""The kinds of evidence against a class without a mask, in the order of `Evidence.gaps`."""

_FARTHEST = 8.0
"""In standard deviations or scales: what is farther off says no more."""

_FEW = 10
"""A class in this many cases weighs as much as the mean of all classes in its own spread."""

_LEAST_AREA_VARIANCE = 0.01
"""Of log areas: a few cases may happen to have equal areas."""

_LEAST_PLACE_VARIANCE = 1.0
"""Of places, in square pixels."""

_EASIEST = 0.8
"""Share of the other classes, those that lack the least, that say how difficult a case is."""

_PRIOR = 0.5
"""Added to counts, so that what no case shows is unlikely and not impossible."""


@dataclass(frozen=True)
class Norms:
    """What is usual in the labels of C classes; robust, so that errors in a tenth of them hardly change it.

    Attributes:
        usual: agreement of masks with the networks.
        anatomy: areas and places; area spreads are relative to the areas of the other classes of a case.
        outline: logarithm of the length of the outline over the root of the area (C,).
    """

    usual: Usual
    anatomy: Anatomy
    outline: NDArray[np.float64]


@dataclass(frozen=True)
class Sight:
    """What the networks alone say about a case.

    Attributes:
        seen: probabilities (C, pixels), 0..1.
        own: the networks' masks (C, pixels).
        areas: of these masks in pixels (C,).
        expected: area of each class in pixels, for objects as large as in this case (C,).
        sure: soft Dice of the networks' masks with the probabilities (C,).
        odd_area: how unusual the areas of the networks' masks are (C,).
        odd_place: the same for their places (C,).
    """

    seen: NDArray[np.float32]
    own: NDArray[np.float32]
    areas: NDArray[np.float64]
    expected: NDArray[np.float64]
    sure: NDArray[np.float64]
    odd_area: NDArray[np.float64]
    odd_place: NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Evidence against the masks of a case.

    Attributes:
        there: which classes have a mask (C,).
        masks: see `OF_MASK` (C, 14); only of classes that have one.
        gaps: see `OF_GAP` (C, 9); only of classes that have none.
    """

    there: NDArray[np.bool_]
    masks: NDArray[np.float64]
    gaps: NDArray[np.float64]


def measure_norms(cases: Sequence[Judged]) -> Norms:
    """What is usual in some cases, at least one."""
    objects = [find_objects(case.given) for case in cases]
    there = np.array([one.areas > 0 for one in objects])
    outlines = np.array([_outlines(case.given, one) for case, one in zip(cases, objects, strict=True)])
    return Norms(usual_agreement(cases), _usual_anatomy(objects, there), _medians(outlines, there))


def _usual_anatomy(objects: Sequence[Objects], there: NDArray[np.bool_]) -> Anatomy:
    areas = np.log(np.maximum([one.areas for one in objects], 1))
    centres = np.array([one.centres for one in objects])
    area, centre = (
        _medians(areas, there),
        np.stack([_medians(centres[..., i], there) for i in (0, 1)], axis=1),
    )
    level = np.array([_level(row, has) for row, has in zip(areas - area, there, strict=True)])
    away = np.abs(np.concatenate([(areas - area - level[:, None])[..., None], centres - centre], axis=2))
    spread = 1.4826 * np.stack([_medians(away[..., i], there) for i in range(3)], axis=1)
    count = there.sum(axis=0)[:, None]
    mean = (count * spread**2).sum(axis=0) / max(count.sum(), 1)
    least = np.array([_LEAST_AREA_VARIANCE, _LEAST_PLACE_VARIANCE, _LEAST_PLACE_VARIANCE])
    deviation = np.sqrt((count * spread**2 + _FEW * mean) / (count + _FEW) + least)
    together = there.astype(np.int64).T @ there.astype(np.int64)
    return Anatomy(len(objects), together, area, deviation[:, 0], centre, deviation[:, 1:])


def _medians(values: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The median (C,) of values (case, C) over the cases that have the class; else that of all classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of classes that no case has
        of_class = np.nanmedian(np.where(there, values, np.nan), axis=0)
    overall = np.median(values[there]) if there.any() else 0.0
    return np.asarray(np.where(np.isnan(of_class), overall, of_class), dtype=np.float64)


def _level(away: NDArray[np.float64], there: NDArray[np.bool_]) -> float:
    """By how much the log areas of a case differ from the usual ones."""
    return float(np.median(away[there])) if there.any() else 0.0


def _outlines(masks: NDArray[np.bool_], objects: Objects) -> NDArray[np.float64]:
    inner = np.zeros_like(masks)
    inner[:, 1:-1, 1:-1] = masks[:, :-2, 1:-1] & masks[:, 2:, 1:-1] & masks[:, 1:-1, :-2] & masks[:, 1:-1, 2:]
    length = (masks & ~inner).sum(axis=(1, 2))
    return np.asarray(np.log(np.maximum(length, 1)) - np.log(np.maximum(objects.areas, 1)) / 2)


def look(case: Judged, norms: Norms) -> Sight:
    """What the networks alone say about a case."""
    drawn, anatomy = foreground(case.seen), norms.anatomy
    objects, sure = find_objects(drawn), sureness(case.seen)
    there = objects.areas > 0
    away = np.log(np.maximum(objects.areas, 1)) - anatomy.area
    level = _level(away, there)
    odd = np.minimum(np.abs(away - level) / anatomy.area_spread, _FARTHEST)
    return Sight(
        seen=(case.seen.reshape(len(drawn), -1) / 255).astype(np.float32),
        own=drawn.reshape(len(drawn), -1).astype(np.float32),
        areas=objects.areas,
        expected=np.exp(anatomy.area + level),
        sure=sure,
        odd_area=np.where(there, odd, _FARTHEST),
        odd_place=distance_from_usual(objects.centres, there, sure, anatomy),
    )


def measure_evidence(masks: NDArray[np.bool_], case: Judged, sight: Sight, norms: Norms) -> Evidence:
    """Evidence against masks (C, height, width), the given ones of a case or others.

    Of a mask:

    - lacks: how much less it agrees with the networks than usual, in scales;
    - corrected: by how much the networks' own mask would lower that;
    - unseen: expected number of its pixels that the networks do not see, over the usual area;
    - rival: the largest mean probability of another class inside it;
    - overlap: the largest share of it that another mask covers;
    - too large, too small: log area against the other masks of the case, in standard deviations;
      a mask at the image's border is never too small, since the image cuts it off;
    - place: distance from the usual place, as in the presence step;
    - larger, smaller: log ratio of its area and that of the networks' own mask;
    - sure: how sure the networks are of their own mask, over the usual agreement;
    - difficult: what the other masks lack, without those that lack most;
    - seen: mean probability inside it;
    - rough: how much longer its outline is than usual, as a logarithm.

    Of a class without a mask:

    - claim: how sure the networks are of a mask, 0..1;
    - rare claim: that, times the logarithm of how rarely they are in cases labelled without the class;
    - area, place: how unusual their mask is;
    - covered, rival: the largest share of it under another given mask, and probability of another class;
    - company: log-odds of the class, given the classes that have masks;
    - free claim: the rare claim, for the share of the mask that is not covered;
    - share: log-odds of the share of cases that have the class.
    """
    anatomy, usual = norms.anatomy, norms.usual
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    objects = find_objects(masks)
    there, size = objects.areas > 0, np.maximum(objects.areas, 1)
    inside = flat @ sight.seen.T / size[:, None]
    seen = np.diag(inside).copy()
    agreement = agreements(masks, case.seen)
    lacks = np.maximum(usual.median - agreement, 0) / usual.scale
    own_lacks = np.maximum(usual.median - sight.sure, 0) / usual.scale
    larger = np.log((objects.areas + 0.1 * sight.expected) / (sight.areas + 0.1 * sight.expected))
    away = _beyond_others(np.log(size) - anatomy.area, there) / anatomy.area_spread
    weight = np.clip(agreement, 0.05, 1)
    of_mask = [
        lacks,
        lacks - own_lacks,
        objects.areas * (1 - seen) / sight.expected,
        _largest_other(inside),
        _largest_other(flat @ flat.T / size[:, None]),
        np.maximum(away, 0),
        np.where(_touch_border(masks), 0, np.maximum(-away, 0)),
        distance_from_usual(objects.centres, there, weight, anatomy),
        np.maximum(larger, 0),
        np.maximum(-larger, 0),
        sight.sure / usual.median,
        _difficulty(np.minimum(lacks, _FARTHEST), there),
        seen,
        np.clip(_outlines(masks, objects) - norms.outline, -1, 1.5),
    ]
    claim = np.where(sight.areas > 0, np.clip(sight.sure / usual.median, 0, 1), 0)
    others = np.maximum(usual.claims - claim, 0)
    rare = -claim * np.log((others + _PRIOR) / (usual.cases + 2 * _PRIOR))
    own_size = np.maximum(sight.areas, 1)[:, None]
    covered = _largest_other(sight.own @ flat.T / own_size)
    single = np.diag(anatomy.together)
    of_gap = [
        claim,
        rare,
        sight.odd_area,
        sight.odd_place,
        covered,
        _largest_other(sight.own @ sight.seen.T / own_size),
        company_of(there.astype(float), anatomy),
        rare * (1 - covered),
        np.log((single + _PRIOR) / (anatomy.cases - single + _PRIOR)),
    ]
    bounded = [np.clip(np.stack(of, axis=1), -_FARTHEST, _FARTHEST) for of in (of_mask, of_gap)]
    return Evidence(there, bounded[0], bounded[1])


def _touch_border(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(masks[:, [0, -1]].any(axis=(1, 2)) | masks[:, :, [0, -1]].any(axis=(1, 2)))


def _largest_other(shares: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The largest value of each row (C,) of (C, C), without the diagonal; 0 for a single class."""
    others = shares.astype(np.float64)
    np.fill_diagonal(others, 0)
    return np.asarray(others.max(axis=1))


def _beyond_others(away: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Each value without the median of the other classes that are there (C,)."""
    place = np.arange(len(away))
    return np.array([value - _level(away, there & (place != i)) for i, value in enumerate(away)])


def _difficulty(lacks: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean of what the other classes that are there lack, without those that lack most (C,)."""
    place, found = np.arange(len(lacks)), np.zeros(len(lacks))
    for index in place:
        rest = np.sort(lacks[there & (place != index)])
        if rest.size:
            found[index] = rest[: max(1, int(_EASIEST * rest.size))].mean()
    return found
