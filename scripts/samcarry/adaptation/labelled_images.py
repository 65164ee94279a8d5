"""Labelled images in memory, and batches of crops of them with prompts as f_θ errs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from samcarry.errors import InputError
from samcarry.sam.small.objects import Picture
from samcarry.sam.small.samples import Batch, Crop, Mixture, collate, draw_crop

LONGEST_SIDE = 1024
"""Larger images are reduced to this many pixels, which is enough for crops."""

MOST_TRIES = 1000
"""Objects that are tried for one crop, in case that some are too small or too thin."""


@dataclass(frozen=True)
class LabelledImage:
    """An image with the masks of its present classes, one bit per pixel.

    Attributes:
        image: uint8 (height, width).
        bits: packed masks of K present classes, uint8 (K, bytes).
    """

    image: NDArray[np.uint8]
    bits: NDArray[np.uint8]

    @property
    def masks(self) -> NDArray[np.bool_]:
        """The masks (K, height, width)."""
        height, width = self.image.shape
        flat = np.unpackbits(self.bits, axis=1, count=height * width)
        return flat.reshape(-1, height, width).astype(bool)


def labelled_image(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> LabelledImage:
    """Pack an image (height, width) and its masks (class, height, width) without the empty ones.

    Images whose longer side exceeds `LONGEST_SIDE` are reduced.
    """
    height, width = image.shape
    factor = LONGEST_SIDE / max(height, width)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        reduced = [Image.fromarray(mask).resize(size, Image.Resampling.NEAREST) for mask in masks]
        masks = np.array([np.asarray(mask) for mask in reduced], dtype=bool).reshape(-1, size[1], size[0])
    present = masks[masks.any(axis=(1, 2))]
    return LabelledImage(image, np.packbits(present.reshape(len(present), image.size), axis=1))


def draw_batch(seed: int, step: int, images: Sequence[LabelledImage], mixture: Mixture) -> Batch:
    """The crops and prompts of one step, which depend on (seed, step) only.

    Args:
        seed: of all random numbers.
        step: from 0 on.
        images: labelled images, each with at least one object.
        mixture: how many crops, and what is asked.

    Raises:
        InputError: no object is large enough to be asked for.
    """
    rng = np.random.default_rng([seed, step])
    return collate([_draw_crop(rng, images, mixture) for _ in range(mixture.crops)], mixture.side)


def _draw_crop(rng: np.random.Generator, images: Sequence[LabelledImage], mixture: Mixture) -> Crop:
    for _ in range(MOST_TRIES if images else 0):
        chosen = images[int(rng.integers(len(images)))]
        masks, image = chosen.masks, chosen.image
        if rng.random() < 0.5:
            masks, image = masks[:, :, ::-1], image[:, ::-1]
        picture = Picture(image, masks, masks[:0], True, np.logical_or.reduce(masks))
        crop = draw_crop(rng, picture, int(rng.integers(len(masks))), mixture, vary_exposure)
        if crop is not None:
            return crop
    raise InputError(
        "SAM cannot be tuned on the labelled cases, because they have no object that is large enough: remove "
        "the methods with a tuned SAM from the config (docs/method.md)"
    )


def vary_exposure(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image (height, width) with another gamma and contrast, and a little blur or noise."""
    grey = image.astype(np.float32) / 255
    if rng.random() < 0.2:
        grey = ndimage.gaussian_filter(grey, rng.uniform(0.3, 1.0))
    grey = grey ** np.exp(rng.normal(0, 0.2))
    grey = grey * rng.uniform(0.75, 1) + rng.uniform(0, 0.15)
    if rng.random() < 0.3:
        grey = grey + rng.uniform(0, 0.02) * rng.standard_normal(grey.shape, dtype=np.float32)
    return np.clip(grey * 255, 0, 255).astype(np.uint8)
