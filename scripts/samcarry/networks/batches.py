"""Training batches: drawn with replacement, normalised and augmented by affine maps (paper §3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from samcarry.networks.statistics import SubsetStatistics
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
        masks: 0 or 1 (B, C, H, W).
        weights: weight of each class in the loss (B, C, 1, 1); None = equal weights.
    """

    masks: Tensor
    weights: Tensor | None


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
    indices = torch.randint(len(data.images), (batch_size,), generator=generator).numpy()
    grey = upload_rows(data.images, indices, device)
    return ImageBatch(indices, normalise_images(grey, statistics.mean, statistics.std))


def draw_batch(
    data: TrainingData,
    statistics: SubsetStatistics,
    batch_size: int,
    generator: torch.Generator,
    device: str,
) -> LabelledBatch:
    """Draw cases as `draw_images` does, with their masks and weights."""
    drawn = draw_images(data, statistics, batch_size, generator, device)
    weights = None
    if data.weights is not None:
        weights = upload_rows(data.weights, drawn.indices, device)[:, :, None, None]
    masks = upload_rows(data.masks, drawn.indices, device).float()
    return LabelledBatch(drawn.indices, drawn.images, masks, weights)


def draw_affine(count: int, sigma: float, generator: torch.Generator) -> Tensor:
    """Random affine maps (count, 2, 3): identity plus N(0, sigma) for each of the six numbers."""
    return torch.eye(2, 3) + sigma * torch.randn(count, 2, 3, generator=generator)


def warp(values: Tensor, theta: Tensor, mode: str = "bilinear") -> Tensor:
    """Warp (B, C, H, W) by affine maps (B, 2, 3); pixels from outside the image are 0."""
    grid = affine_grid(theta.to(values.device), values.shape)
    return F.grid_sample(values, grid, mode=mode, align_corners=False)


def affine_grid(theta: Tensor, shape: Sequence[int]) -> Tensor:
    """The sampling grid (B, H, W, 2) of affine maps (B, 2, 3) for an array of shape (B, C, H, W).

    Computed in float32 even if networks compute in bfloat16, whose 8 bits cannot distinguish neighbouring
    columns.
    """
    with torch.autocast(theta.device.type, enabled=False):
        return F.affine_grid(theta.float(), list(shape), align_corners=False)


def inverse(theta: Tensor) -> Tensor:
    """The inverse of affine maps (B, 2, 3)."""
    last_row = theta.new_tensor([0.0, 0.0, 1.0]).expand(len(theta), 1, 3)
    return torch.linalg.inv(torch.cat([theta, last_row], dim=1))[:, :2]


def augment(images: Tensor, masks: Tensor, sigma: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Apply one random affine map per sample to images and masks.

    Images (B, 1, H, W) are interpolated bilinearly, masks (B, C, H, W) by nearest neighbour; pixels from
    outside are 0.
    """
    theta = draw_affine(len(images), sigma, generator)
    return warp(images, theta), warp(masks, theta, "nearest")
