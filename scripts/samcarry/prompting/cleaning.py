"""Mask cleaning (paper §2.1): one component per class by Eq. 1, then dilation or erosion."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samcarry.storage.probabilities import foreground

EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class CleaningSettings:
    """The `cleaning` block of the config; the schema gives meaning, units and defaults."""

    operation: str  # "none", "dilation" or "erosion"
    element: str  # "square", "disk", "diamond" or "star"
    radius: int


def clean(probabilities: NDArray[np.uint8], settings: CleaningSettings) -> NDArray[np.bool_]:
    """Cleaned masks (class, height, width) of probabilities times 255 (class, height, width)."""
    return apply_morphology_to_each(most_likely_components(probabilities), settings)


def apply_morphology_to_each(components: NDArray[np.bool_], settings: CleaningSettings) -> NDArray[np.bool_]:
    """The result of the morphological operation on each mask (class, height, width)."""
    element = structuring_element(settings.element, settings.radius)
    changed = np.zeros_like(components)
    for index, component in enumerate(components):
        changed[index] = apply_morphology(component, settings.operation, element)
    return changed


def most_likely_components(probabilities: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The most likely component of each class (class, height, width); an absent class is empty."""
    found = np.zeros(probabilities.shape, dtype=bool)
    for index, probability in enumerate(probabilities):
        component = most_likely_component(probability)
        if component is not None:
            found[index] = component
    return found


def most_likely_component(probability: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """The connected component of a probability map with the highest mean probability (Eq. 1).

    Components consist of 8-connected pixels above 0.5. Among equal ones the uppermost, then leftmost is
    returned; None if no pixel is above 0.5.
    """
    labels, count = ndimage.label(foreground(probability), structure=EIGHT_NEIGHBOURS)
    if count == 0:
        return None
    flat = labels.ravel()
    areas = np.bincount(flat, minlength=count + 1)[1:]
    # Sums of 8-bit values are exact, so equal components have equal likelihoods.
    likelihoods = np.bincount(flat, probability.ravel(), minlength=count + 1)[1:]
    return labels == int(np.argmax(likelihoods / areas)) + 1


@cache
def structuring_element(element: str, radius: int) -> NDArray[np.bool_]:
    """A structuring element with a radius in pixels at network size; callers must not modify it.

    Widths differ: a square is `radius` pixels wide, a disk and a diamond 2·radius + 1, and a star
    2·(radius + radius // 2) + 1. These are the definitions of scikit-image and of the paper's authors.
    """
    if radius == 0:
        return np.ones((1, 1), dtype=bool)
    if element == "square":
        return np.ones((radius, radius), dtype=bool)
    from skimage import morphology  # here, because squares need no scikit-image

    shapes = {"disk": morphology.disk, "diamond": morphology.diamond, "star": morphology.star}
    return shapes[element](radius).astype(bool)


def apply_morphology(
    mask: NDArray[np.bool_], operation: str, element: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """A mask (height, width) after dilation or erosion; pixels outside the image have no effect.

    If an erosion would delete the entire mask, the mask is returned unchanged, so that small structures
    remain.
    """
    if operation == "none" or element.size == 1 or not mask.any():
        return mask
    margin = max(element.shape)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )
    changed = np.zeros_like(mask)
    if operation == "dilation":
        changed[window] = ndimage.binary_dilation(mask[window], element)
        return changed
    changed[window] = ndimage.binary_erosion(mask[window], element, border_value=1) & mask[window]
    return changed if changed.any() else mask
