"""Training batches: drawn with replacement and normalised (paper §3.1)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samcarry.networks.subset_statistics import SubsetStatistics
from samcarry.networks.training_data import TrainingData
from samcarry.networks.unet import normalise_images
from samcarry.runtime.device import upload_rows


@dataclass(frozen=True)
class ImageBatch:
    """Images of one iteration, before augmentation.

    Attributes:
        indices: places of the cases in the training data (B,).
        images: normalised (B, 1, H, W).
    """

    indices: NDArray[np.int64]
    images: Tensor


@dataclass(frozen=True)
class LabelledBatch(ImageBatch):
    """Labelled cases of one iteration, before augmentation.

    Attributes:
        masks: 0 or 1, or probabilities where these are learned, (B, C, H, W).
        weights: weight of each class in the loss (B, C, 1, 1); None = equal weights.
        unsure: 1 where a pixel does not count in the loss, else 0, (B, C, H, W); None = all count.
    """

    masks: Tensor
    weights: Tensor | None
    unsure: Tensor | None = None


def generator_of(seed: int, iteration: int) -> torch.Generator:
    """A random generator that depends only on seed and iteration, so that a training can be resumed."""
    return torch.Generator().manual_seed(seed * 1_000_003 + iteration)


def draw_images(
    data: TrainingData,
    statistics: SubsetStatistics,
    batch_size: int,
    generator: torch.Generator,
    device: str,
) -> ImageBatch:
    """Draw cases with replacement and normalise their images; masks are not read."""
    indices = draw_indices(len(data.images), data.last, batch_size, generator)
    grey = upload_rows(data.images, indices, device)
    return ImageBatch(indices, normalise_images(grey, statistics.mean, statistics.std))


def draw_indices(count: int, last: int, batch_size: int, generator: torch.Generator) -> NDArray[np.int64]:
    """Places of the cases of a batch (batch_size,), with replacement.

    Args:
        count: number of cases.
        last: number of cases at the end that make up half of the batch (rounded down), below `count`; 0 = all
            cases are drawn alike.
        batch_size: number of cases to draw.
        generator: source of all random numbers.
    """
    if not last:
        return torch.randint(count, (batch_size,), generator=generator).numpy()
    of_last = batch_size // 2
    others = torch.randint(count - last, (batch_size - of_last,), generator=generator)
    chosen = torch.randint(count - last, count, (of_last,), generator=generator)
    return torch.cat([others, chosen]).numpy()


def draw_batch(
    data: TrainingData,
    statistics: SubsetStatistics,
    batch_size: int,
    generator: torch.Generator,
    device: str,
) -> LabelledBatch:
    """Draw cases as `draw_images` does, with their masks, weights and unsure pixels."""
    drawn = draw_images(data, statistics, batch_size, generator, device)
    weights = None
    if data.weights is not None:
        weights = upload_rows(data.weights, drawn.indices, device)[:, :, None, None]
    masks = upload_rows(data.masks, drawn.indices, device).float()
    if data.masks.dtype == np.uint8:
        masks = masks / 255
    unsure = None if data.unsure is None else upload_rows(data.unsure, drawn.indices, device).float()
    return LabelledBatch(drawn.indices, drawn.images, masks, weights, unsure)
