"""Labelled images in memory, and batches of crops of them with prompts as f_θ errs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from samcarry.errors import InputError
from samcarry.images.masks import resize_mask
from samcarry.sam.small.objects import Picture
from samcarry.sam.small.samples import Batch, Crop, Mixture, collate, draw_crop
from samcarry.sam.zoom import initial_logits
from samcarry.storage.stacks import read_stack

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
        predicted: log-odds of a network's P of these classes, (K, h, w) at network size; None = not known.
        imagined: masks of classes that the network sees although they are absent, (M, h, w).
    """

    image: NDArray[np.uint8]
    bits: NDArray[np.uint8]
    predicted: NDArray[np.float16] | None = None
    imagined: NDArray[np.bool_] | None = None

    @property
    def masks(self) -> NDArray[np.bool_]:
        """The masks (K, height, width)."""
        height, width = self.image.shape
        flat = np.unpackbits(self.bits, axis=1, count=height * width)
        return flat.reshape(-1, height, width).astype(bool)


def labelled_image(
    image: NDArray[np.uint8], masks: NDArray[np.bool_], probabilities: NDArray[np.uint8] | None = None
) -> LabelledImage:
    """Pack an image (height, width) and its masks (class, height, width) without the empty ones.

    Images whose longer side exceeds `LONGEST_SIDE` are reduced.

    Args:
        image: grey values.
        masks: the labels.
        probabilities: P times 255 by a network that did not learn from this image, (class, h, w) at any
            resolution; None = not known.
    """
    height, width = image.shape
    factor = LONGEST_SIDE / max(height, width)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        reduced = [Image.fromarray(mask).resize(size, Image.Resampling.NEAREST) for mask in masks]
        masks = np.array([np.asarray(mask) for mask in reduced], dtype=bool).reshape(-1, size[1], size[0])
    present = masks.any(axis=(1, 2))
    bits = np.packbits(masks[present].reshape(present.sum(), image.size), axis=1)
    if probabilities is None:
        return LabelledImage(image, bits)
    logits = initial_logits(probabilities)
    absent = logits[~present] > 0
    imagined = absent[absent.any(axis=(1, 2))]
    return LabelledImage(image, bits, logits[present].astype(np.float16), imagined)


def read_predicted(
    paths: Sequence[str | Path], cases: Sequence[Sequence[str]], classes: Sequence[str]
) -> dict[str, NDArray[np.uint8]]:
    """P times 255 of single cases as {case: (class, h, w)}.

    Args:
        paths: stacks of probability maps.
        cases: the cases that are taken from each stack.
        classes: the classes in the order wanted.
    """
    found: dict[str, NDArray[np.uint8]] = {}
    for path, wanted in zip(paths, cases, strict=True):
        stack = read_stack(path, cases=wanted, classes=classes)
        found |= {case: values.copy() for case, values in zip(stack.cases, stack.values, strict=True)}
    return found


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
        missing, predicted = _enlarged(chosen.imagined, image.shape), chosen.predicted
        if rng.random() < 0.5:
            masks, image, missing = masks[:, :, ::-1], image[:, ::-1], missing[:, :, ::-1]
            predicted = None if predicted is None else predicted[:, :, ::-1]
        picture = Picture(image, masks, missing, True, np.logical_or.reduce(masks), predicted)
        crop = draw_crop(rng, picture, int(rng.integers(len(masks))), mixture, vary_exposure)
        if crop is not None:
            return crop
    raise InputError(
        "SAM cannot be tuned on the labelled cases, because they have no object that is large enough: remove "
        "the methods with a tuned SAM from the config (docs/method.md)"
    )


def _enlarged(masks: NDArray[np.bool_] | None, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Masks (M, h, w) at the size (height, width); none if they are not known."""
    if masks is None:
        return np.zeros((0, *size), bool)
    return np.array([resize_mask(mask, *size) for mask in masks], dtype=bool).reshape(-1, *size)


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
