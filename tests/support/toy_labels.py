"""Drawn images with labelled objects: bright blocks on a dark ground."""

import numpy as np

from samcarry.adaptation.labelled_images import labelled_image

SIZE = (120, 90)
GROUND, BRIGHT = 40, 200


def toy(seed=0, size=SIZE, objects=1):
    """An image (height, width) with blocks one below the other, and its masks (objects, height, width)."""
    rng = np.random.default_rng(seed)
    height, width = size
    masks = np.zeros((objects, height, width), dtype=bool)
    part = height // objects
    for index, mask in enumerate(masks):
        rows, columns = (int(rng.integers(side // 3, side // 2)) for side in (part, width))
        top = index * part + int(rng.integers(1, part - rows - 1))
        left = int(rng.integers(1, width - columns - 1))
        mask[top : top + rows, left : left + columns] = True
    noise = rng.integers(-8, 9, size)
    image = np.where(masks.any(axis=0), BRIGHT, GROUND) + noise
    return image.astype(np.uint8), masks


def labelled_toys(count, **how):
    """Labelled images of `toy`, drawn from the seeds 0, 1, ..."""
    return [labelled_image(*toy(seed, **how)) for seed in range(count)]
