"""Choose the first images to label so that they cover the embedding space and all metadata groups.

The algorithm is k-centre greedy: the next image is always the one farthest from those already chosen.
Metadata are used twice: as further dimensions, and as groups (a sex, a quarter of the ages) that have to be
covered first.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUMBER_QUARTERS = 4
"""Number of groups that a column of numbers is divided into."""

_MIN_NUMBERS = 6  # a column with fewer different numbers is a code, such as 1 and 2
Group = tuple[str, str]


@dataclass(frozen=True)
class FeatureSpace:
    """Features (image, feature) and metadata groups of all images."""

    features: NDArray[np.float64]
    groups: tuple[frozenset[Group], ...]


@dataclass(frozen=True)
class Choice:
    """A chosen image: its index, and its distance to the nearest image chosen before (NaN for the first)."""

    index: int
    distance: float


def feature_space(embeddings: NDArray[np.float32], columns: Mapping[str, Sequence[str]]) -> FeatureSpace:
    """Standardised embeddings and metadata, concatenated as features.

    All embedding features together have the same weight as one column: two random images have the same
    expected distance in each. A column is numeric if all its entries are numbers and at least six of them
    differ. '' is an unknown entry; it belongs to no group and gets the mean value.

    Args:
        embeddings: one embedding per image, (image, feature).
        columns: {column: the entry of each image}.
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
    return FeatureSpace(np.concatenate(blocks, axis=1), tuple(frozenset(group) for group in groups))


def choose_first(
    space: FeatureSpace, patients: Sequence[str], count: int, *, labelled: Sequence[int] = (), seed: int = 0
) -> list[Choice]:
    """The first `count` images to label, in the order in which they are chosen.

    Without labelled images, the first one is the most typical, the one nearest to the mean. A second image
    of a patient is chosen only if every patient has one, or if no other image belongs to its group.

    Args:
        space: features and groups of all images.
        patients: the patient of each image.
        count: how many images to choose; all of them if there are fewer.
        labelled: indices of images that already have labels; they count as covered and are not chosen.
        seed: decides between images at the same distance.
    """
    total = len(space.features)
    rank = np.random.default_rng(seed).permutation(total)
    free = np.ones(total, dtype=bool)
    free[list(labelled)] = False
    covered = {group for index in labelled for group in space.groups[index]}
    chosen_patients = {patients[index] for index in labelled}
    available = {group for index in np.flatnonzero(free) for group in space.groups[index]}
    nearest = np.full(total, np.inf)
    for index in labelled:
        nearest = np.minimum(nearest, _distances(space, index))
    typical = -np.linalg.norm(space.features - space.features.mean(axis=0), axis=1)
    chosen: list[Choice] = []
    for _ in range(min(count, int(free.sum()))):
        new_patient = np.array([patient not in chosen_patients for patient in patients])
        candidates = _candidates(space, free, new_patient, available - covered)
        score = np.where(np.isfinite(nearest), nearest, typical)
        best = max(candidates, key=lambda index: (score[index], -rank[index]))
        distance = float(nearest[best]) if np.isfinite(nearest[best]) else math.nan
        chosen.append(Choice(int(best), distance))
        free[best] = False
        covered |= space.groups[best]
        chosen_patients.add(patients[best])
        nearest = np.minimum(nearest, _distances(space, best))
    return chosen


def _candidates(
    space: FeatureSpace, free: NDArray[np.bool_], new_patient: NDArray[np.bool_], missing: set[Group]
) -> NDArray[np.intp]:
    """Indices of the images that may be chosen next: those that cover most missing groups, if any do."""
    added = np.array([len(groups & missing) for groups in space.groups]) if missing else np.zeros(len(free))
    for useful in (free & new_patient & (added > 0), free & (added > 0)):
        if useful.any():
            return np.flatnonzero(useful & (added == added[useful].max()))
    preferred = free & new_patient
    return np.flatnonzero(preferred if preferred.any() else free)


def _distances(space: FeatureSpace, index: int) -> NDArray[np.float64]:
    """Distance of every image to the image at `index`."""
    return np.linalg.norm(space.features - space.features[index], axis=1)


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns with mean 0 and standard deviation 1; constant columns become 0."""
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def _numbers(texts: Sequence[str]) -> NDArray[np.float64] | None:
    """The entries of a numeric column, NaN where unknown; None if the column is categorical."""
    try:
        numbers = np.array([float(text.replace(",", ".")) if text else math.nan for text in texts])
    except ValueError:
        return None
    known = numbers[np.isfinite(numbers)]
    return np.where(np.isfinite(numbers), numbers, math.nan) if len(set(known)) >= _MIN_NUMBERS else None


def _as_numbers(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
    """Features (image, 1) of a numeric column, and the quarter that each image belongs to."""
    edges = np.nanquantile(numbers, np.linspace(0, 1, NUMBER_QUARTERS + 1))
    quarters = np.searchsorted(edges[1:-1], numbers, side="right")
    names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    values = ["" if math.isnan(n) else names[quarter] for n, quarter in zip(numbers, quarters, strict=True)]
    return _standardised(np.where(np.isnan(numbers), np.nanmean(numbers), numbers)[:, None]), values


def _as_categories(texts: Sequence[str]) -> tuple[NDArray[np.float64], list[str]]:
    """Features (image, category) of a column; two categories differ as much as two random numbers."""
    names = sorted({text for text in texts if text})
    block = np.array([[float(text == name) for name in names] for text in texts]).reshape(len(texts), -1)
    return block - block.mean(axis=0) if names else block, list(texts)
