"""The errors that `audit.py` plants in labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from samcarry.audit.agreement import Judged

Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class Planted:
    """One error: its kind, its case, and the classes that it concerns; none for the whole case."""

    kind: str
    case: str
    classes: frozenset[int]


# Each function changes masks (class, height, width) in place and returns the classes concerned, or None if
# the case does not allow the error.

Plant = Callable[[Masks, NDArray[np.float64], Generator], "Sequence[int] | None"]


def _present(masks: Masks) -> list[int]:
    return np.flatnonzero(masks.any(axis=(1, 2))).tolist()


def _swap(masks: Masks, one: int, other: int) -> list[int]:
    masks[[one, other]] = masks[[other, one]]
    return [one, other]


def _nearest(centres: NDArray[np.float64], one: int, among: Sequence[int]) -> int | None:
    others = [index for index in among if index != one]
    distance = np.linalg.norm(centres[others] - centres[one], axis=1) if others else np.empty(0)
    return others[int(distance.argmin())] if others else None


def plant_sides(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """The masks of a class and of its counterpart on the other side are exchanged."""
    present = _present(masks)
    middle = np.nanmean(centres[:, 1])
    pairs = []
    for one in present:
        mirrored = np.array([centres[one, 0], 2 * middle - centres[one, 1]])
        rest = [other for other in present if (centres[other, 1] - middle) * (centres[one, 1] - middle) < 0]
        if rest:
            pairs.append((one, min(rest, key=lambda other: np.linalg.norm(centres[other] - mirrored))))
    return _swap(masks, *pairs[rng.integers(len(pairs))]) if pairs else None


def plant_neighbours(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """The masks of two neighbouring classes are exchanged."""
    one = int(rng.choice(_present(masks)))
    other = _nearest(centres, one, _present(masks))
    return None if other is None else _swap(masks, one, other)


def plant_numbering(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """Along a row of three to five neighbours, each class gets the mask of the next one."""
    row = [int(rng.choice(_present(masks)))]
    while len(row) < 5:
        following = _nearest(centres, row[-1], [i for i in _present(masks) if i not in row[:-1]])
        if following is None:
            break
        row.append(following)
    if len(row) < 3:
        return None
    masks[row] = masks[[*row[1:], row[0]]]
    return row


def plant_missing(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """A class has no mask."""
    one = int(rng.choice(_present(masks)))
    masks[one] = False
    return [one]


def plant_extra(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """A class that is not in the image has a mask: where it usually is, or else far from where it is."""
    absent = [index for index in range(len(masks)) if index not in _present(masks)]
    shape = masks[int(rng.choice(_present(masks)))]
    height, width = shape.shape
    rows, columns = np.nonzero(shape)
    if absent:
        one = int(rng.choice(absent))
        row, column = np.nan_to_num(centres[one], nan=0.5) * (height, width)
    else:
        return None
    rows = (rows - rows.mean() + row).round().astype(int).clip(0, height - 1)
    columns = (columns - columns.mean() + column).round().astype(int).clip(0, width - 1)
    masks[one, rows, columns] = True
    return [one]


def plant_all_shifted(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """All masks are moved by a tenth of the image."""
    masks[:] = _moved(masks, 0.1, rng)
    return []


def plant_shifted(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """One mask is moved by its own width."""
    one = int(rng.choice(_present(masks)))
    extent = max(np.ptp(axis) for axis in np.nonzero(masks[one])) + 1
    masks[one] = _moved(masks[[one]], extent / max(masks.shape[1:]), rng)[0]
    return [one]


def _moved(masks: Masks, share: float, rng: Generator) -> Masks:
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = (
        (np.array([np.sin(angle), np.cos(angle)]) * share * max(masks.shape[1:])).round().astype(int)
    )
    moved = np.zeros_like(masks)
    height, width = masks.shape[1:]
    to, source = [], []
    for way, size in ((rows, height), (columns, width)):
        to.append(slice(max(way, 0), size + min(way, 0)))
        source.append(slice(max(-way, 0), size - max(way, 0)))
    moved[:, to[0], to[1]] = masks[:, source[0], source[1]]
    return moved


def plant_mirrored(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """All masks are mirrored."""
    masks[:] = masks[:, :, ::-1].copy()
    return []


def plant_cut_off(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """Two thirds of a mask are missing, on one side."""
    one = int(rng.choice(_present(masks)))
    axis = int(rng.integers(2))
    places = np.nonzero(masks[one])[axis]
    limit = np.quantile(places, 1 / 3)
    index = np.arange(masks.shape[1 + axis])
    masks[one] &= (index <= limit)[:, None] if axis == 0 else (index <= limit)[None, :]
    return [one]


def plant_leaking(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """A mask is dilated until it is three times as large."""
    one = int(rng.choice(_present(masks)))
    size = masks[one].sum()
    grown = masks[one]
    while grown.sum() < 3 * size and not grown.all():
        grown = ndimage.binary_dilation(grown, np.ones((3, 3), dtype=bool))
    masks[one] = grown
    return [one]


CHANGES: dict[str, Plant] = {
    "left and right swapped": plant_sides,
    "neighbours swapped": plant_neighbours,
    "numbering shifted": plant_numbering,
    "missing class": plant_missing,
    "extra class": plant_extra,
    "all masks shifted": plant_all_shifted,
    "one mask shifted": plant_shifted,
    "mirrored": plant_mirrored,
    "cut off": plant_cut_off,
    "leaking": plant_leaking,
}


def plant_turned(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """A mask is turned by 60 to 120 degrees about its centre."""
    one = int(rng.choice(_present(masks)))
    centre = np.array(ndimage.center_of_mass(masks[one]))
    angle = np.radians(rng.uniform(60, 120)) * rng.choice([-1, 1])
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = ndimage.affine_transform(
        masks[one].astype(float), matrix, offset=centre - matrix @ centre, order=1
    )
    masks[one] = turned > 0.5
    return [one] if masks[one].any() else None


def plant_outline(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """A mask is only its outline, not filled."""
    one = int(rng.choice(_present(masks)))
    inner = ndimage.binary_erosion(masks[one], iterations=1)
    if inner.sum() < masks[one].sum() / 2:
        return None
    masks[one] &= ~inner
    return [one]


def plant_box(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """A mask is its bounding box."""
    one = int(rng.choice(_present(masks)))
    rows, columns = np.nonzero(masks[one])
    if np.ptp(rows) * np.ptp(columns) < 1.4 * rows.size:
        return None
    masks[one, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    return [one]


def plant_merged(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """A mask covers its neighbour too, which has none."""
    one = int(rng.choice(_present(masks)))
    other = _nearest(centres, one, _present(masks))
    if other is None:
        return None
    masks[one] |= masks[other]
    masks[other] = False
    return [one, other]


def plant_twice_named(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """A class has the mask of its neighbour, which has it too."""
    one = int(rng.choice(_present(masks)))
    other = _nearest(centres, one, _present(masks))
    if other is None:
        return None
    masks[one] = masks[other]
    return [one, other]


def plant_islands(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """A mask has a second part of half its size elsewhere."""
    one = int(rng.choice(_present(masks)))
    rows = np.nonzero(masks[one])[0]
    half = masks[[one]] & (np.arange(masks.shape[1]) <= np.median(rows))[:, None]
    masks[one] |= _moved(half, 0.3, rng)[0]
    return [one]


def plant_unfinished(masks: Masks, centres: NDArray[np.float64], rng: Generator) -> Sequence[int] | None:
    """Half of the classes have no mask."""
    present = _present(masks)
    if len(present) < 4:
        return None
    gone = rng.permutation(present)[: len(present) // 2]
    masks[gone] = False
    return gone.tolist()


OTHER_CHANGES: dict[str, Plant] = {
    "turned": plant_turned,
    "outline only": plant_outline,
    "bounding box": plant_box,
    "two merged": plant_merged,
    "neighbour's mask": plant_twice_named,
    "second part": plant_islands,
    "half not labelled": plant_unfinished,
}
"""Kinds that were not looked at while the audit was developed; `--other` plants these instead."""

OTHER_IMAGE, TWICE = "labels of another image", "same radiograph twice"
KINDS = (*CHANGES, OTHER_IMAGE, TWICE)
OTHER_KINDS = tuple(OTHER_CHANGES)
ALL_CHANGES = CHANGES | OTHER_CHANGES

DESCRIBE = {
    "left and right swapped": {"sides swapped", "swapped"},
    "neighbours swapped": {"swapped", "sides swapped"},
    "numbering shifted": {"numbering"},
    "missing class": {"missing"},
    "extra class": {"extra"},
    "all masks shifted": {"all shifted"},
    "one mask shifted": {"shifted", "extra"},
    "mirrored": {"mirrored", "sides swapped"},
    "cut off": {"cut off"},
    "leaking": {"leaking"},
    OTHER_IMAGE: {"other image"},
    TWICE: {"same image"},
}
"""The kinds of findings that name an error right."""


def plant(
    cases: Sequence[Judged],
    images: dict[str, NDArray[np.uint8]],
    centres: NDArray[np.float64],
    kinds: Sequence[str],
    rng: Generator,
) -> tuple[list[Judged], dict[str, NDArray[np.uint8]], list[Planted]]:
    """Cases and images with an error of each of `kinds`, and the list of errors."""
    of, planted, images = {case.case: case for case in cases}, [], dict(images)
    free = [case.case for case in cases if case.given.any()]
    rng.shuffle(free)
    for number, kind in enumerate(kinds):
        if kind in ALL_CHANGES:
            for name in list(free):
                masks = of[name].given.copy()
                concerned = ALL_CHANGES[kind](masks, centres, rng)
                if concerned is not None:
                    of[name] = replace(of[name], given=masks)
                    planted.append(Planted(kind, name, frozenset(concerned)))
                    free.remove(name)
                    break
            continue
        name = free.pop()
        if kind == OTHER_IMAGE:
            of[name] = replace(of[name], given=of[free.pop()].given)
        else:  # saved again by another program: other grey values, and blurred a little
            copy = ndimage.gaussian_filter(images[name].astype(float), 0.4) * 0.9 + 8
            images[f"copy {number} of {name}"] = copy.clip(0, 255).astype(np.uint8)
        planted.append(Planted(kind, name, frozenset()))
    return list(of.values()), images, planted
