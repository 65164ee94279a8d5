"""Refinement of masks by a random walk on grey values (Grady 2006, paper ref. [8]).

A baseline that shows what SAM adds. Own code instead of `skimage.segmentation.random_walker`, which has no
overlapping labels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

EPSILON = 1e-10
"""Added to each weight, so that a walker can cross the steepest edge; the value of scikit-image."""


@dataclass(frozen=True)
class RandomWalkSettings:
    """The `random_walk` block of the config; the schema gives meaning, units and defaults."""

    background_erosion: int  # radius of a disk in pixels at network size; 0 = none
    mask_erosion: int  # the same for the masks
    sigma: float  # grey values, 0..255


def refine_by_random_walk(
    image: NDArray[np.uint8], components: NDArray[np.bool_], settings: RandomWalkSettings
) -> NDArray[np.bool_]:
    """Masks of the pixels from which a random walker probably reaches a class's seeds before all others.

    The seeds are the eroded components and the eroded background (the pixels outside all components). An
    erosion that would delete a class or the background has no effect. A seed of one class counts against all
    other classes, except those that it is a seed of, too.

    Args:
        image: grey values (height, width).
        components: the most likely component of each class (class, height, width), by Eq. 1 and without
            morphology; they may overlap.
        settings: radii of the erosions, and sigma.

    Returns:
        Masks (class, height, width); a class with an empty component has an empty mask.
    """
    masks = np.zeros_like(components)
    present = np.flatnonzero(components.any(axis=(1, 2)))
    if len(present) == 0:
        return masks
    seeds = np.stack([erode(component, settings.mask_erosion) for component in components[present]])
    background = erode(np.logical_not(components.any(axis=0)), settings.background_erosion)
    seeded = background | seeds.any(axis=0)
    masks[present] = walk_probabilities(image, seeds, seeded, settings.sigma) > 0.5
    return masks


def walk_probabilities(
    image: NDArray[np.uint8], seeds: NDArray[np.bool_], seeded: NDArray[np.bool_], sigma: float
) -> NDArray[np.float64]:
    """Probabilities that the first seed that a random walker reaches has a label.

    A walker steps to one of the 4 neighbours, with a probability proportional to exp(-(Δgrey)² / sigma²).
    Labels may overlap, so each one is a right-hand side of one sparse linear system, which is factorised
    once. The solver is direct: the weights span ten decades, and conjugate gradients stall at a small sigma.

    Args:
        image: grey values (height, width).
        seeds: the seeds of each label (label, height, width), all of them in `seeded`.
        seeded: all seeds (height, width), including those without a label such as the background's.
        sigma: the grey-value difference that counts as an edge, above 0.

    Returns:
        Probabilities (label, height, width), 0..1, exactly 0 or 1 at the seeds.

    Raises:
        ValueError: there are no seeds, so a walker arrives nowhere.
    """
    if not seeded.any():
        raise ValueError("a random walk needs at least one seed")
    probabilities = seeds.astype(np.float64)
    if len(seeds) == 0 or seeded.all():
        return probabilities
    laplacian, influx = _linear_system(image, seeded, sigma)
    # The matrix is symmetric and diagonally dominant: it needs no pivoting, and a symmetric ordering
    # gives the least fill-in.
    factors = splu(
        laplacian, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True}
    )
    solved = factors.solve(influx @ probabilities.reshape(len(seeds), -1).T)
    probabilities[:, ~seeded] = solved.T.clip(0, 1)
    return probabilities


def erode(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """A mask (height, width) eroded with a disk as by `cleaning.apply_morphology`, but by distances.

    Its time does not depend on the radius. Morphology with a disk 33 pixels wide took longer than the random
    walk itself.
    """
    if radius == 0 or mask.all() or not mask.any():
        return mask
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    # A margin of one pixel suffices: every straight line out of the mask crosses it first.
    window = (
        slice(max(rows[0] - 1, 0), rows[-1] + 2),
        slice(max(columns[0] - 1, 0), columns[-1] + 2),
    )
    eroded = np.zeros_like(mask)
    eroded[window] = ndimage.distance_transform_edt(mask[window]) > radius
    return eroded if eroded.any() else mask


def _linear_system(
    image: NDArray[np.uint8], seeded: NDArray[np.bool_], sigma: float
) -> tuple[sparse.csc_array, sparse.csr_array]:
    """The matrices L_U (unknown, unknown) and -Bᵀ (unknown, pixel) of Grady's L_U · x = -Bᵀ · seeds."""
    start, end, weight = _steps(image, sigma)
    unknown = ~seeded.ravel()
    count = int(unknown.sum())
    number = np.where(unknown, np.cumsum(unknown) - 1, -1).astype(np.int32)
    leaving = unknown[start]
    start, end, weight = number[start[leaving]], end[leaving], weight[leaving]
    degree = np.bincount(start, weight, minlength=count)
    inner = unknown[end]
    within = (start[inner], number[end[inner]])
    laplacian = sparse.diags_array(degree) - sparse.csc_array((weight[inner], within), shape=(count, count))
    across = (start[~inner], end[~inner])
    return laplacian.tocsc(), sparse.csr_array((weight[~inner], across), shape=(count, image.size))


def _steps(
    image: NDArray[np.uint8], sigma: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Start pixel, end pixel and weight of each step between 4-neighbours, in both directions."""
    grey = image.astype(np.float64)
    pixel = np.arange(image.size, dtype=np.int32).reshape(image.shape)
    first = np.concatenate([pixel[:, :-1].ravel(), pixel[:-1].ravel()])
    second = np.concatenate([pixel[:, 1:].ravel(), pixel[1:].ravel()])
    difference = np.concatenate([np.diff(grey, axis=1).ravel(), np.diff(grey, axis=0).ravel()])
    weight = np.exp(-((difference / sigma) ** 2)) + EPSILON
    return np.concatenate([first, second]), np.concatenate([second, first]), np.tile(weight, 2)
