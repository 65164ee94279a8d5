"""Random walk (Grady 2006, the paper's [8]): masks refined by grey values alone, to compare SAM with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

# Added to each weight: a walker can always leave, however steep the edge. As small as skimage's.
EPSILON = 1e-10


@dataclass(frozen=True)
class RandomWalkSettings:
    """The `random_walk` block of the config; the schema gives meaning, units and defaults."""

    background_erosion: int  # radius of a disk in pixels at network size, 0: none
    mask_erosion: int  # likewise
    sigma: float  # grey values, 0..255


def refine_by_random_walk(
    image: NDArray[np.uint8], components: NDArray[np.bool_], settings: RandomWalkSettings
) -> NDArray[np.bool_]:
    """Where a walker more probably meets a class's seeds first than seeds that are not of the class.

    The seeds are what the erosions leave of the components and of the background, the pixels in no
    component. An erosion that would delete a class or the background leaves it as it is. A pixel that
    is a seed of one class is thereby none of another, unless it is that one's seed too.

    Args:
        image: Grey values (height, width).
        components: The most likely component of each class (class, height, width), by Eq. 1 and without
            morphology; they may overlap.
        settings: Radii of the erosions, and sigma.

    Returns:
        Masks (class, height, width); empty where the component is.
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
    """The probability that the first seed that a walker meets carries a label.

    A walker steps to one of the 4 neighbours, with a probability proportional to exp(-(Δgrey)² / sigma²).
    Labels may overlap, so each is its own right-hand side of one sparse system, which is factorised
    once. A direct solver, for the weights span ten decades: conjugate gradients stall at a small sigma.

    Args:
        image: Grey values (height, width).
        seeds: The seeds of each label (label, height, width), all of them within `seeded`.
        seeded: The seeds of any label and of none (height, width), such as the background's.
        sigma: The grey-value difference that counts as an edge, above 0.

    Returns:
        Probabilities (label, height, width), 0..1, exactly 0 or 1 at the seeds.

    Raises:
        ValueError: If there is no seed at all, for then a walker arrives nowhere.
    """
    if not seeded.any():
        raise ValueError("a random walk needs at least one seed")
    probabilities = seeds.astype(np.float64)
    if len(seeds) == 0 or seeded.all():
        return probabilities
    laplacian, influx = _linear_system(image, seeded, sigma)
    # The matrix is symmetric and diagonally dominant: it needs no pivoting, and an ordering that
    # keeps the symmetry fills it least.
    factors = splu(
        laplacian, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True}
    )
    solved = factors.solve(influx @ probabilities.reshape(len(seeds), -1).T)
    probabilities[:, ~seeded] = solved.T.clip(0, 1)
    return probabilities


def erode(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """A mask (height, width) eroded as `cleaning.reshape` does with a disk, by distances.

    The time does not depend on the radius: that of a disk 33 pixels wide exceeded the walk's own.
    """
    if radius == 0 or mask.all() or not mask.any():
        return mask
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    # A pixel of margin suffices: a straight way out of the mask crosses it first.
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
    """L_U (unknown, unknown) and -Bᵀ (unknown, pixel): Grady solves L_U · x = -Bᵀ · seeds."""
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
    """Each step between 4-neighbours, there and back: from which pixel, to which, and its weight."""
    grey = image.astype(np.float64)
    pixel = np.arange(image.size, dtype=np.int32).reshape(image.shape)
    first = np.concatenate([pixel[:, :-1].ravel(), pixel[:-1].ravel()])
    second = np.concatenate([pixel[:, 1:].ravel(), pixel[1:].ravel()])
    difference = np.concatenate([np.diff(grey, axis=1).ravel(), np.diff(grey, axis=0).ravel()])
    weight = np.exp(-((difference / sigma) ** 2)) + EPSILON
    return np.concatenate([first, second]), np.concatenate([second, first]), np.tile(weight, 2)
