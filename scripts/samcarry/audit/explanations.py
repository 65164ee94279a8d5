"""What may be wrong with the labels of one case: corrections that agree better with the networks.

Each function proposes corrections of one kind. A proposal says which classes it concerns, and by how much
less doubtful these classes would be: the same measure for every kind, so that kinds compare.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import center_of_mass
from scipy.optimize import linear_sum_assignment

from samcarry.audit.agreement import Judged, agreements, overlaps
from samcarry.audit.doubt import View
from samcarry.storage.probabilities import foreground

Masks = NDArray[np.bool_]

KINDS = (
    "other image",
    "mirrored",
    "upside down",
    "all shifted",
    "sides swapped",
    "numbering",
    "swapped",
    "wrong class",
    "missing",
    "extra",
    "shifted",
    "cut off",
    "leaking",
    "badly drawn",
    "annotators",
    "same image",
)
"""Of a case; of several classes; of one class; beyond the networks."""

WHOLE_CASE = ("other image", "mirrored", "upside down", "all shifted")

_CLEAR_SHIFT = 0.02
"""Of the image's height or width: a smaller shift is a matter of how an annotator draws."""

_EXPLAINED = 0.7
"""Share of a disagreement that a shift has to explain, to be preferred to a new mask."""

_ONE_SIDED = 0.85
"""Share of a smaller mask that is inside a larger one, so that it is called cut off or leaking."""

_MOST_INSIDE = 0.2
"""Probability above which the networks see something of a class inside a mask."""


@dataclass(frozen=True)
class Proposal:
    """A correction of one case.

    Attributes:
        kind: one of `KINDS`.
        classes: indices of the classes that it concerns, in the order in which `text` names them.
        gain: by how much less doubtful these classes are than before, see `doubt.View.doubts`.
        to: for each of `classes` the class that its mask seems to be, or None.
        detail: what else the text needs: the other image, or the direction of a shift.
        certain: whether no network is needed to see it.
    """

    kind: str
    classes: tuple[int, ...]
    gain: float
    to: tuple[int, ...] = ()
    detail: str = ""
    certain: bool = False


def of_whole_case(view: View) -> Iterator[Proposal]:
    """Corrections of all masks of a case: mirrored, turned upside down, or moved by the same way."""
    case, classes = view.case, _present(view.case)
    yield Proposal("mirrored", classes, _gain(view, case.given[:, :, ::-1]))
    for turned in (case.given[:, ::-1], case.given[:, ::-1, ::-1]):
        yield Proposal("upside down", classes, _gain(view, turned))
    if len(classes) > 1:
        way = _shift(case.given[list(classes)], case.seen[list(classes)])
        if _is_clear(way, case.given.shape[1:]):
            gain = _gain(view, _moved(case.given, way))
            yield Proposal("all shifted", classes, gain, detail=_direction(way, case.given.shape[1:]))


def _gain(view: View, masks: Masks, classes: Sequence[int] | None = None) -> float:
    """By how much less doubtful `masks` are than the given ones, over some or all classes."""
    change = view.of_given - view.doubts(masks)
    return float(change[1].sum() if classes is None else change[0, list(classes)].sum())


def _present(case: Judged) -> tuple[int, ...]:
    return tuple(np.flatnonzero(case.given.any(axis=(1, 2))).tolist())


def of_other_image(view: View, others: Mapping[str, View], fits: Mapping[str, float]) -> Proposal | None:
    """Labels that fit another image, or None.

    Args:
        view: the case.
        others: the other cases by their names.
        fits: how well the given labels agree with the networks in each other case, see `fits_of`.
    """
    if not fits:
        return None
    best = max(fits, key=lambda name: fits[name])
    gain = float((view.of_given - others[best].doubts(view.case.given))[1].sum())
    return Proposal("other image", _present(view.case), gain, detail=best)


def fits_of(case: Judged, others: Sequence[Judged]) -> dict[str, float]:
    """{other case: mean agreement of this case's given masks with the networks' maps there}."""
    present = list(_present(case))
    given = case.given[present]
    return {other.case: float(agreements(given, other.seen[present]).mean()) for other in others if present}


def copied_labels(views: Sequence[View]) -> dict[str, Proposal]:
    """{case: proposal} for cases whose masks are those of another image, pixel by pixel.

    Of two such cases, it is the one whose image they fit less.
    """
    first: dict[bytes, View] = {}
    found = {}
    for view in views:
        if not view.case.given.any():
            continue
        other = first.setdefault(np.packbits(view.case.given).tobytes(), view)
        if other is not view:
            wrong, right = sorted((view, other), key=lambda one: -one.of_given[1].sum())
            gain = float(wrong.redraw_gains[1].sum())
            found[wrong.case.case] = Proposal(
                "other image", _present(wrong.case), gain, detail=right.case.case, certain=True
            )
    return found


# ---- names of classes ---------------------------------------------------------------------------


def renamed(view: View, centres: NDArray[np.float64]) -> Iterator[Proposal]:
    """Masks that fit other classes: the assignment of masks to classes with the greatest agreement."""
    case = view.case
    present = list(_present(case))
    if not present:
        return
    agreement = overlaps(case.given, case.seen)[present]
    # Nothing is gained by a mask that fits no class, so it keeps its name.
    agreement[np.arange(len(present)), present] += 1e-3
    rows, columns = linear_sum_assignment(agreement, maximize=True)
    becomes = {present[row]: int(column) for row, column in zip(rows, columns, strict=True)}
    chains = _chains({one: other for one, other in becomes.items() if one != other})
    sides = [chain for chain in chains if len(chain) == 2 and _are_sides(chain, centres)]
    groups = [[chain] for chain in chains]
    if len(sides) > 1:
        groups.append(sides)
    for group in groups:
        names = [name for chain in group for name in chain]
        moves = {name: becomes[name] for name in names if name in becomes}
        masks = case.given.copy()
        masks[names] = False
        for one, other in moves.items():
            masks[other] = case.given[one]
        gain = _gain(view, masks, names)
        kind = _kind_of_renaming(group, moves, sides)
        yield Proposal(kind, tuple(moves), gain, to=tuple(moves.values()))


def _chains(becomes: Mapping[int, int]) -> list[list[int]]:
    """The connected parts of a renaming, classes in order: cycles, and paths to an absent class."""
    left = dict(becomes)
    starts = [one for one in becomes if one not in becomes.values()]
    chains = []
    for start in [*starts, *becomes]:
        if start in left:
            chain = [start]
            while chain[-1] in left:
                following = left.pop(chain[-1])
                if following == start:
                    break
                chain.append(following)
            chains.append(chain)
    return chains


def _are_sides(pair: Sequence[int], centres: NDArray[np.float64]) -> bool:
    """Whether two classes are each other's mirror image: at the same height, on both sides of the middle."""
    (row, column), (other_row, other_column) = centres[list(pair)]
    apart = abs(column - other_column)
    middle = abs(column + other_column - 2 * np.nanmean(centres[:, 1]))
    return bool(apart > max(3 * abs(row - other_row), 2 * middle))


def _kind_of_renaming(
    group: Sequence[Sequence[int]], moves: Mapping[int, int], sides: Sequence[Sequence[int]]
) -> str:
    if all(chain in sides for chain in group):
        return "sides swapped"
    if len(group[0]) == 2:
        return "swapped" if len(moves) == 2 else "wrong class"
    return "numbering"


# ---- one class ----------------------------------------------------------------------------------


def single(view: View) -> Iterator[Proposal]:
    """For each class, the networks' own mask, and what that says of the given one."""
    case, own = view.case, foreground(view.case.seen)
    for index, gain in enumerate(view.redraw_gains[0]):
        given, seen = case.given[index], own[index]
        if gain <= 0:
            continue
        if not given.any():
            yield Proposal("missing", (index,), gain)
        elif not seen.any() or not (given & (case.seen[index] > 255 * _MOST_INSIDE)).any():
            yield Proposal("extra", (index,), gain)
        else:
            yield _badly_drawn(view, index, gain)


def _badly_drawn(view: View, index: int, gain: float) -> Proposal:
    case = view.case
    given, seen = case.given[index], foreground(case.seen)[index]
    way = _shift(given[None], case.seen[index][None])
    if _is_clear(way, given.shape):
        moved = case.given.copy()
        moved[index] = _moved(given[None], way)[0]
        explained = _gain(view, moved, [index])
        if explained > _EXPLAINED * gain:
            return Proposal("shifted", (index,), gain, detail=_direction(way, given.shape))
    common = (given & seen).sum()
    if common > _ONE_SIDED * given.sum():
        return Proposal("cut off", (index,), gain)
    if common > _ONE_SIDED * seen.sum():
        return Proposal("leaking", (index,), gain)
    return Proposal("badly drawn", (index,), gain)


# ---- shifts -------------------------------------------------------------------------------------


def _shift(masks: Masks, seen: NDArray[np.uint8]) -> tuple[int, int]:
    """The way (rows, columns) from given masks to the networks' own: the median of that of their centres."""
    ways = [
        np.subtract(center_of_mass(own), center_of_mass(mask))
        for mask, own in zip(masks, foreground(seen), strict=True)
        if own.any()
    ]
    rows, columns = np.median(ways, axis=0).round() if ways else (0, 0)
    return int(rows), int(columns)


def _moved(masks: Masks, way: tuple[int, int]) -> Masks:
    """Masks moved by (rows, columns); what leaves the image is lost."""
    height, width = masks.shape[1:]
    padded = np.pad(masks, ((0, 0), (abs(way[0]), abs(way[0])), (abs(way[1]), abs(way[1]))))
    top, left = abs(way[0]) - way[0], abs(way[1]) - way[1]
    return padded[:, top : top + height, left : left + width]


def _is_clear(way: tuple[int, int], shape: Sequence[int]) -> bool:
    return max(abs(way[0]) / shape[0], abs(way[1]) / shape[1]) >= _CLEAR_SHIFT


def _direction(way: tuple[int, int], shape: Sequence[int]) -> str:
    """Where the given masks are, seen from where they should be: '8 % of the width to the left'."""
    parts = []
    for length, size, side, names in (
        (-way[1], shape[1], "width", ("left", "right")),
        (-way[0], shape[0], "height", ("up", "down")),
    ):
        if abs(length) / size >= _CLEAR_SHIFT:
            name = names[int(length > 0)]
            where = f"to the {name}" if side == "width" else name
            parts.append(f"{100 * abs(length) / size:.0f} % of the {side} {where}")
    return " and ".join(parts)


def usual_centres(cases: Sequence[Judged]) -> NDArray[np.float64]:
    """The median centre (class, 2), row and column as shares of height and width; NaN if never given."""
    classes = cases[0].given.shape[0]
    found: list[list[tuple[float, float]]] = [[] for _ in range(classes)]
    for case in cases:
        height, width = case.given.shape[1:]
        for index in _present(case):
            row, column = center_of_mass(case.given[index])
            found[index].append((row / height, column / width))
    return np.array([np.median(of_class, axis=0) if of_class else (np.nan, np.nan) for of_class in found])
