"""Random errors in masks, from which the audit learns what errors look like in these images."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

Masks = NDArray[np.bool_]

_ATTEMPTS = 5
"""How often another kind of error is tried if a case does not allow one."""


def spoil(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[Masks, tuple[int, ...]] | None:
    """Masks with one random error, and the classes that it concerns; None if nothing could be spoilt.

    Args:
        masks: of a case (class, height, width).
        donors: masks of all cases.
        rng: random numbers.
    """
    for _ in range(_ATTEMPTS):
        spoilt = masks.copy()
        concerned = _KINDS[rng.integers(len(_KINDS))](spoilt, donors, rng)
        if any((spoilt[index] != masks[index]).any() for index in concerned):
            return spoilt, concerned
    return None


# Each function changes masks in place and returns the classes concerned, none if the case does not allow it.


def _of(classes: NDArray[np.bool_], rng: Generator) -> int | None:
    """One of the classes at random."""
    among = np.flatnonzero(classes)
    return int(rng.choice(among)) if among.size else None


def _present(masks: Masks) -> NDArray[np.bool_]:
    return np.asarray(masks.any(axis=(1, 2)))


def _swap(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[int, ...]:
    """A mask and one of those near it have exchanged names."""
    one = _of(_present(masks), rng)
    centres = {i: ndimage.center_of_mass(masks[i]) for i in np.flatnonzero(_present(masks)) if i != one}
    if one is None or not centres:
        return ()
    own = ndimage.center_of_mass(masks[one])
    near = sorted(centres, key=lambda i: np.hypot(*np.subtract(centres[i], own)))[:4]
    other = int(rng.choice(near))
    masks[[one, other]] = masks[[other, one]]
    return one, other


def _rename(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[int, ...]:
    """A mask has the name of an absent class."""
    one, other = _of(_present(masks), rng), _of(~_present(masks), rng)
    if one is None or other is None:
        return ()
    masks[[one, other]] = masks[[other, one]]
    return one, other


def _remove(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[int, ...]:
    one = _of(_present(masks), rng)
    if one is None:
        return ()
    masks[one] = False
    return (one,)


def _add(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[int, ...]:
    """An absent class has the mask of another case."""
    return _from_donor(masks, donors, rng, _of(~_present(masks), rng))


def _replace(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[int, ...]:
    """A class has the mask of another case."""
    return _from_donor(masks, donors, rng, _of(_present(masks), rng))


def _from_donor(masks: Masks, donors: Sequence[Masks], rng: Generator, index: int | None) -> tuple[int, ...]:
    having = [donor for donor in donors if index is not None and donor[index].any()]
    if index is None or not having:
        return ()
    masks[index] = having[rng.integers(len(having))][index]
    return (index,)


def _shift(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[int, ...]:
    """A mask is moved by 0.4 to 1.2 of its size."""
    index = _of(_present(masks), rng)
    if index is None:
        return ()
    rows, columns = np.nonzero(masks[index])
    way = rng.uniform(0.4, 1.2) * (max(np.ptp(rows), np.ptp(columns)) + 1)
    angle = rng.uniform(0, 2 * np.pi)
    rows = rows + round(way * np.sin(angle))
    columns = columns + round(way * np.cos(angle))
    height, width = masks.shape[1:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    masks[index] = False
    masks[index, rows[inside], columns[inside]] = True
    return (index,)


def _cut(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[int, ...]:
    """35 to 70 % of a mask are missing on one side."""
    index = _of(_present(masks), rng)
    if index is None:
        return ()
    rows, columns = np.nonzero(masks[index])
    angle = rng.uniform(0, 2 * np.pi)
    place = rows * np.sin(angle) + columns * np.cos(angle)
    gone = place > np.quantile(place, rng.uniform(0.3, 0.65))
    masks[index, rows[gone], columns[gone]] = False
    return (index,)


def _grow(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[int, ...]:
    """A mask is 1.7 to 3.2 times as large."""
    return _resize(masks, rng, ndimage.binary_dilation, rng.uniform(1.7, 3.2))


def _shrink(masks: Masks, donors: Sequence[Masks], rng: Generator) -> tuple[int, ...]:
    """25 to 60 % of a mask are left in its middle."""
    return _resize(masks, rng, ndimage.binary_erosion, rng.uniform(0.25, 0.6))


def _resize(masks: Masks, rng: Generator, step: Callable[..., Masks], share: float) -> tuple[int, ...]:
    index = _of(_present(masks), rng)
    if index is None:
        return ()
    wanted = share * masks[index].sum()
    changed = masks[index]
    while (changed.sum() < wanted) if share > 1 else (changed.sum() > wanted):
        following = step(changed, np.ones((3, 3), dtype=bool))
        if not following.any() or (following == changed).all():
            break
        changed = following
    masks[index] = changed
    return (index,)


_KINDS = (_swap, _rename, _remove, _add, _replace, _shift, _cut, _grow, _shrink)
