"""Test-time augmentation: the mean of predictions for slightly moved and scaled views of an image.

Views are not mirrored: an image of the left side would become one of the right side, and classes such as
tooth 11 and tooth 21 would change places.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

Predict = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

VIEWS = ((1.0, 0.0, 0.0), (0.95, 0.0, 0.0), (1.05, 0.0, 0.0), (1.0, 0.02, 0.02), (1.0, -0.02, -0.02))
"""Scale about the centre, and shift down and to the right as shares of the image's height and width."""


def predict_views(predict: Predict, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mean probabilities times 255, (class, height, width), of all `VIEWS` of one image.

    The image itself is one of them. Pixels from outside the image repeat its edge.

    Args:
        predict: as `Model.predict`.
        image: grey values at network size, (height, width).
    """
    total = np.zeros(())
    for scale, down, right in VIEWS:
        shift = np.array([down * image.shape[0], right * image.shape[1]])
        seen = _moved(image, scale, shift)
        found = predict(np.rint(seen).astype(np.uint8)[None])[0]
        total = total + np.stack([_moved(values, 1 / scale, -shift / scale) for values in found])
    return np.rint(total / len(VIEWS)).astype(np.uint8)


def _moved(values: NDArray[np.uint8], scale: float, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (height, width) magnified about the centre and then shifted in pixels; bilinear."""
    if scale == 1 and not shift.any():
        return values.astype(np.float64)
    centre = (np.array(values.shape) - 1) / 2
    # Where each pixel of the result comes from.
    offset = centre - (centre + shift) / scale
    return affine_transform(values.astype(np.float64), np.full(2, 1 / scale), offset, order=1, mode="nearest")
