"""Prompts as a network with few labels errs: boxes, points and mask prompts of masks that are partly wrong.

Masks are given at low resolution, (h, w) or (K, h, w), the frame of SAM's mask prompts.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samcarry.prompting.prompts import bounding_box, centre_of_mass
from samcarry.sam.refinement import SAM_LOGIT_LIMIT

Rng = np.random.Generator
Mask = NDArray[np.bool_]

LEAST_OVERLAP = 0.3
"""Least IoU of a rough mask and the true one: below, it is not clear what is asked for."""


def rough_mask(rng: Rng, mask: Mask, others: Mask) -> Mask:
    """A mask with one or two errors of a network.

    Args:
        rng: random numbers.
        mask: the object, (h, w), not empty.
        others: the other objects, (K, h, w).

    Returns:
        (h, w), never empty; its IoU with `mask` is `LEAST_OVERLAP` or more.
    """
    found = mask
    errors = rng.choice(len(ERRORS), p=ERROR_SHARES, size=int(rng.integers(1, 3)), replace=False)
    for index in errors:
        changed = ERRORS[index](rng, found, others)
        if iou(changed, mask) >= LEAST_OVERLAP:
            found = changed
    return found


def iou(one: Mask, other: Mask) -> float:
    """Intersection over union of two masks, 0..1; 0 if both are empty."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def _extent(mask: Mask) -> float:
    """The square root of a mask's area, in cells."""
    return float(np.sqrt(mask.sum()))


def cut_off(rng: Rng, mask: Mask, others: Mask) -> Mask:
    """The mask without what lies beyond a straight line: 10 to 50 % of its area."""
    return mask & _half(rng, mask, rng.uniform(0.5, 0.9))


def _half(rng: Rng, mask: Mask, share: float) -> Mask:
    """The side of a random straight line on which `share` of a mask's area lies, (h, w)."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    along = np.cos(angle) * x + np.sin(angle) * y
    return along <= np.quantile(along[mask], share)


def leak(rng: Rng, mask: Mask, others: Mask) -> Mask:
    """The mask with the nearest part of a neighbour: 15 to 60 % of that."""
    neighbour = _neighbour(rng, mask, others)
    if neighbour is None:
        return mask
    distance = ndimage.distance_transform_edt(~mask)
    return mask | (neighbour & (distance <= np.quantile(distance[neighbour], rng.uniform(0.15, 0.6))))


def merge(rng: Rng, mask: Mask, others: Mask) -> Mask:
    """The mask and all of a neighbour."""
    neighbour = _neighbour(rng, mask, others)
    return mask if neighbour is None else mask | neighbour


def _neighbour(rng: Rng, mask: Mask, others: Mask) -> Mask | None:
    """One of the other objects that are within two cells and not more than three times as large."""
    near = ndimage.binary_dilation(mask, iterations=2)
    beside = [other for other in others if (near & other).any() and other.sum() <= 3 * mask.sum()]
    return beside[rng.integers(len(beside))] if beside else None


def shift(rng: Rng, mask: Mask, others: Mask) -> Mask:
    """The mask moved by 5 to 35 % of its extent, towards a neighbour if there is one."""
    neighbour = _neighbour(rng, mask, others)
    if neighbour is None:
        angle = rng.uniform(0, 2 * np.pi)
        direction = np.array([np.sin(angle), np.cos(angle)])
    else:
        direction = np.array(centre_of_mass(neighbour))[::-1] - np.array(centre_of_mass(mask))[::-1]
        direction /= max(float(np.linalg.norm(direction)), 1e-6)
    return moved(mask, direction * _extent(mask) * rng.uniform(0.05, 0.35))


def moved(mask: Mask, by: NDArray[np.float64]) -> Mask:
    """The mask moved by whole cells (rows, columns); what leaves the frame is lost."""
    rows, columns = (int(step) for step in np.round(by))
    height, width = mask.shape
    result = np.zeros_like(mask)
    target = result[max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)]
    target[...] = mask[max(-rows, 0) : height - max(rows, 0), max(-columns, 0) : width - max(columns, 0)]
    return result


def holes(rng: Rng, mask: Mask, others: Mask) -> Mask:
    """The mask with one to four round holes."""
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    inside = np.argwhere(mask)
    result = mask.copy()
    for _ in range(rng.integers(1, 5)):
        row, column = inside[rng.integers(len(inside))]
        radius = _extent(mask) * rng.uniform(0.05, 0.2)
        result &= np.hypot(y - row, x - column) > radius
    return result


def resize_outline(rng: Rng, mask: Mask, others: Mask) -> Mask:
    """The mask grown or shrunk by up to 12 % of its extent."""
    return _signed_distance(mask) <= rng.uniform(-0.12, 0.12) * _extent(mask)


def wobble(rng: Rng, mask: Mask, others: Mask) -> Mask:
    """The mask with an outline that wanders in and out by some 8 % of its extent."""
    waves = ndimage.gaussian_filter(rng.normal(size=mask.shape), max(1.0, 0.15 * _extent(mask)))
    waves /= max(float(waves.std()), 1e-6)
    return _signed_distance(mask) <= waves * 0.08 * _extent(mask)


def _signed_distance(mask: Mask) -> NDArray[np.float64]:
    """Distance to the outline in cells, negative inside, (h, w)."""
    return ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask) + 0.5


ERRORS: tuple[Callable[[Rng, Mask, Mask], Mask], ...] = (
    resize_outline,
    wobble,
    cut_off,
    leak,
    merge,
    shift,
    holes,
)
ERROR_SHARES = (0.22, 0.22, 0.16, 0.14, 0.06, 0.13, 0.07)


def soft_logits(rng: Rng, mask: Mask) -> NDArray[np.float32]:
    """Logits (h, w) of a network that answers with `mask`: soft at the outline, more or less sure of it."""
    probability = ndimage.gaussian_filter(mask.astype(np.float32), rng.uniform(0.4, 3.0))
    inside, outside = np.exp(rng.uniform(np.log(1.5), np.log(10), 2))
    centred = 2 * probability - 1
    logits = np.where(centred > 0, inside, outside) * centred
    noise = ndimage.gaussian_filter(rng.normal(size=mask.shape), rng.uniform(1, 4))
    logits += rng.uniform(0, 0.35) * min(inside, outside) * noise / max(float(noise.std()), 1e-6)
    return logits.clip(-SAM_LOGIT_LIMIT, SAM_LOGIT_LIMIT).astype(np.float32)


def jittered_box(rng: Rng, mask: Mask, sigma: float) -> NDArray[np.float32]:
    """The box (x0, y0, x1, y1) of a mask in cells, each side moved by N(0, sigma · extent)."""
    x0, y0, x1, y1 = bounding_box(mask)
    extent = np.array([x1 - x0, y1 - y0] * 2)
    moved_sides = np.array([x0, y0, x1, y1]) + rng.normal(0, sigma, 4) * extent
    low = np.minimum(moved_sides[:2], moved_sides[2:])
    return np.concatenate([low, np.maximum(moved_sides[:2], moved_sides[2:])]).astype(np.float32)


def point_of(rng: Rng, mask: Mask) -> NDArray[np.float32]:
    """A point (x, y) in cells: mostly the centre of mass, else the centre of any cell of the mask."""
    if rng.random() < 0.6:
        return np.array(centre_of_mass(mask), np.float32)
    row, column = np.argwhere(mask)[rng.integers(mask.sum())]
    return np.array([column + 0.5, row + 0.5], np.float32)


def nothing_mask(rng: Rng, like: Mask, taken: Mask) -> Mask | None:
    """A copy of an object's mask moved to where there is no object; None if no such place was found.

    Args:
        rng: random numbers.
        like: the object whose form is used, (h, w).
        taken: all that is an object, (h, w).
    """
    height, width = like.shape
    rows, columns = np.nonzero(like)
    for _ in range(8):
        by = np.array(
            [
                rng.uniform(-rows.min(), height - rows.max() - 1),
                rng.uniform(-columns.min(), width - columns.max() - 1),
            ]
        )
        candidate = moved(like, by)
        if candidate.any() and (candidate & taken).sum() < 0.1 * candidate.sum():
            return candidate
    return None
