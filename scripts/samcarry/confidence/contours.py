"""Inner and outer masks around a predicted mask, at the size of the image."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from samcarry.confidence.calibration import LOG_ODDS
from samcarry.storage.probabilities import foreground

Levels = NDArray[np.float32]


def contour_levels(values: NDArray[np.uint8], height: int, width: int) -> Levels:
    """How far out each pixel is from a predicted contour, (height, width); for `conformal.smallest_shifts`.

    Inside, it is the negative log-odds of the pixel. Outside, the distance from the predicted mask in pixels
    at network size is added. Both are resized bilinearly. A shift then moves the contour far where the
    network is unsure, and little where it is sure. Log-odds only would end at those of the stored value 0:
    where a network misses a part of an object altogether, no shift short of the whole image would reach it.
    docs/confidence.md compares this measure with others.

    Args:
        values: probabilities times 255 at network size; the class is drawn, so that some are above 127.
        height: of the result, in pixels.
        width: of the result, in pixels.
    """
    levels = Image.fromarray(levels_at_network_size(values))
    return np.asarray(levels.resize((width, height), Image.Resampling.BILINEAR))


def levels_at_network_size(values: NDArray[np.uint8]) -> Levels:
    """As `contour_levels`, at the size of `values`."""
    distance = distance_transform_edt(~foreground(values))
    return (distance - LOG_ODDS[values]).astype(np.float32)


def outer_mask(levels: Levels, shift: float) -> NDArray[np.bool_]:
    """The outer mask of a shift of 0 or more."""
    return levels <= shift


def inner_mask(levels: Levels, shift: float) -> NDArray[np.bool_]:
    """The inner mask of a shift of 0 or more."""
    return levels < -shift


# ---- areas of all these masks -------------------------------------------------------------------

_LOWEST, _STEPS, _COUNT = -8, 4, 512  # log-odds are above -8; masks may be 120 pixels wider than predicted


def count_levels(levels: Levels) -> NDArray[np.int64]:
    """Numbers of pixels by level, in steps of a quarter, (512,)."""
    places = np.clip((levels - _LOWEST) * _STEPS, 0, _COUNT - 1).astype(np.int64)
    return np.bincount(places.ravel(), minlength=_COUNT)


def outer_area(counts: NDArray[np.floating], shift: float) -> float:
    """The area of the outer mask of a shift, from `count_levels`, up to a step of the shift."""
    return float(counts[: int((shift - _LOWEST) * _STEPS) + 1].sum())


def inner_area(counts: NDArray[np.floating], shift: float) -> float:
    """As `outer_area`, of the inner mask."""
    return float(counts[: max(0, int((-shift - _LOWEST) * _STEPS))].sum())
