"""The first images worth labelling: they cover the space of embeddings, and every group of the metadata.

K-centre greedy: each image taken is the one farthest from those taken before. Metadata take part twice, as
further dimensions and as groups (a sex, a quarter of the ages) that have to be met first.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUMBER_QUARTERS = 4
"""Groups of a column of numbers."""

_FEWEST_NUMBERS = 6  # different ones; fewer are a code, such as 1 and 2
Group = tuple[str, str]


@dataclass(frozen=True)
class Space:
    """What images are spread over: features (image, feature), and the groups of each image."""

    features: NDArray[np.float64]
    groups: tuple[frozenset[Group], ...]


@dataclass(frozen=True)
class Choice:
    """An image that was taken: its place, and how far it lies from those before it (NaN = the first)."""

    index: int
    distance: float


def space_of(embeddings: NDArray[np.float32], columns: Mapping[str, Sequence[str]]) -> Space:
    """Standardised embeddings beside standardised metadata.

    The embeddings together weigh as much as one column: two images drawn at random differ by the same in
    each. A column is one of numbers if all its entries are and six or more differ; '' is an unknown entry,
    which is of no group and lies in the middle.

    Args:
        embeddings: of each image (image, feature).
        columns: {column: entry of each image}.
    """
    blocks = [_standardised(np.asarray(embeddings, dtype=np.float64)) / math.sqrt(embeddings.shape[1])]
    groups: list[set[Group]] = [set() for _ in embeddings]
    for name, texts in columns.items():
        numbers = _numbers(texts)
        block, values = _as_numbers(numbers) if numbers is not None else _as_categories(texts)
        blocks.append(block)
        for group, value in zip(groups, values, strict=True):
            if value:
                group.add((name, value))
    return Space(np.concatenate(blocks, axis=1), tuple(frozenset(group) for group in groups))


def choose_first(
    space: Space, patients: Sequence[str], count: int, *, labelled: Sequence[int] = (), seed: int = 0
) -> list[Choice]:
    """The first `count` images worth labelling, in the order in which they are taken.

    The first of all is the most typical one, the nearest to the mean. A second image of a patient is taken
    only when each has one, or when it is the only one of its group.

    Args:
        space: of all images.
        patients: whose each image is.
        count: how many are taken; all if there are fewer.
        labelled: places of images that have labels already: they cover what lies near, and are not taken.
        seed: decides between images at the same distance.
    """
    total = len(space.features)
    rank = np.random.default_rng(seed).permutation(total)
    free = np.ones(total, dtype=bool)
    free[list(labelled)] = False
    met = {group for place in labelled for group in space.groups[place]}
    seen = {patients[place] for place in labelled}
    every = {group for place in np.flatnonzero(free) for group in space.groups[place]}
    nearest = np.full(total, np.inf)
    for place in labelled:
        nearest = np.minimum(nearest, _distances(space, place))
    typical = -np.linalg.norm(space.features - space.features.mean(axis=0), axis=1)
    taken: list[Choice] = []
    for _ in range(min(count, int(free.sum()))):
        allowed = _allowed(space, free, np.array([patient not in seen for patient in patients]), every - met)
        worth = np.where(np.isfinite(nearest), nearest, typical)
        best = max(allowed, key=lambda place: (worth[place], -rank[place]))
        distance = float(nearest[best]) if np.isfinite(nearest[best]) else math.nan
        taken.append(Choice(int(best), distance))
        free[best] = False
        met |= space.groups[best]
        seen.add(patients[best])
        nearest = np.minimum(nearest, _distances(space, best))
    return taken


def _allowed(
    space: Space, free: NDArray[np.bool_], new_patient: NDArray[np.bool_], missing: set[Group]
) -> NDArray[np.intp]:
    """Places of the images that may be taken next."""
    fills = np.array([len(groups & missing) for groups in space.groups]) if missing else np.zeros(len(free))
    for chosen in (free & new_patient & (fills > 0), free & (fills > 0)):
        if chosen.any():
            return np.flatnonzero(chosen & (fills == fills[chosen].max()))
    fresh = free & new_patient
    return np.flatnonzero(fresh if fresh.any() else free)


def _distances(space: Space, place: int) -> NDArray[np.float64]:
    """Of every image to the one at `place`."""
    return np.linalg.norm(space.features - space.features[place], axis=1)


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def _numbers(texts: Sequence[str]) -> NDArray[np.float64] | None:
    """The entries as numbers, NaN where unknown; None if they are categories."""
    try:
        numbers = np.array([float(text.replace(",", ".")) if text else math.nan for text in texts])
    except ValueError:
        return None
    known = numbers[np.isfinite(numbers)]
    return np.where(np.isfinite(numbers), numbers, math.nan) if len(set(known)) >= _FEWEST_NUMBERS else None


def _as_numbers(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
    """A block (image, 1), and the quarter that each image is in."""
    edges = np.nanquantile(numbers, np.linspace(0, 1, NUMBER_QUARTERS + 1))
    places = np.searchsorted(edges[1:-1], numbers, side="right")
    names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    values = ["" if math.isnan(n) else names[place] for n, place in zip(numbers, places, strict=True)]
    return _standardised(np.where(np.isnan(numbers), np.nanmean(numbers), numbers)[:, None]), values


def _as_categories(texts: Sequence[str]) -> tuple[NDArray[np.float64], list[str]]:
    """A block (image, category) in which two categories lie as far apart as two random numbers."""
    names = sorted({text for text in texts if text})
    block = np.array([[float(text == name) for name in names] for text in texts]).reshape(len(texts), -1)
    return block - block.mean(axis=0) if names else block, list(texts)
