"""Batches: drawn with replacement, normalised, moved by a random affine map (paper §3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from samcarry.networks.statistics import SubsetStatistics
from samcarry.networks.training_data import TrainingData, let_go
from samcarry.networks.unet import normalise
from samcarry.runtime.device import autocast, upload


@dataclass(frozen=True)
class Images:
    """Images of one iteration, before augmentation.

    Attributes:
        chosen: their places in the training data (B,).
        images: normalised (B, 1, H, W).
    """

    chosen: NDArray[np.int64]
    images: Tensor


@dataclass(frozen=True)
class Batch(Images):
    """Labelled cases of one iteration, before augmentation.

    Attributes:
        masks: 0 or 1 (B, C, H, W).
        weights: of each class in the loss (B, C, 1, 1), or None where all count alike.
    """

    masks: Tensor
    weights: Tensor | None


def generator_of(seed: int, iteration: int) -> torch.Generator:
    """Random numbers that depend on seed and iteration alone, so that a training can be resumed."""
    return torch.Generator().manual_seed(seed * 1_000_003 + iteration)


def draw_images(
    data: TrainingData,
    statistics: SubsetStatistics,
    batch_size: int,
    generator: torch.Generator,
    device: str,
) -> Images:
    """Draw cases with replacement, and normalise their images; masks are not touched."""
    chosen = torch.randint(len(data.images), (batch_size,), generator=generator).numpy()
    grey = upload(data.images[chosen], device)
    let_go(data.images)
    return Images(chosen, normalise(grey, statistics.mean, statistics.std))


def draw_batch(
    data: TrainingData,
    statistics: SubsetStatistics,
    batch_size: int,
    generator: torch.Generator,
    device: str,
) -> Batch:
    """Draw cases as `draw_images` does, with their masks and weights."""
    drawn = draw_images(data, statistics, batch_size, generator, device)
    weights = None
    if data.weights is not None:
        weights = upload(data.weights[drawn.chosen], device)[:, :, None, None]
    masks = upload(data.masks[drawn.chosen], device).float()
    let_go(data.masks)
    return Batch(drawn.chosen, drawn.images, masks, weights)


def draw_affine(count: int, sigma: float, generator: torch.Generator) -> Tensor:
    """Affine maps (count, 2, 3): identity + N(0, sigma) for each of the six numbers."""
    return torch.eye(2, 3) + sigma * torch.randn(count, 2, 3, generator=generator)


def warp(values: Tensor, theta: Tensor, mode: str = "bilinear") -> Tensor:
    """Move (B, C, H, W) by affine maps (B, 2, 3); zeros come from outside."""
    grid = affine_grid(theta.to(values.device), values.shape)
    return F.grid_sample(values, grid, mode=mode, align_corners=False)


def affine_grid(theta: Tensor, shape: Sequence[int]) -> Tensor:
    """Where each pixel of a moved array of shape (B, C, H, W) comes from, by maps (B, 2, 3): (B, H, W, 2).

    In float32 even where networks compute in bfloat16, whose 8 bits cannot tell a column from the next.
    """
    with autocast("float32", theta.device):
        return F.affine_grid(theta.float(), list(shape), align_corners=False)


def inverse(theta: Tensor) -> Tensor:
    """The affine maps that undo `theta` (B, 2, 3)."""
    below = theta.new_tensor([0.0, 0.0, 1.0]).expand(len(theta), 1, 3)
    return torch.linalg.inv(torch.cat([theta, below], dim=1))[:, :2]


def augment(images: Tensor, masks: Tensor, sigma: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Apply one random affine map a sample.

    Bilinear for images (B, 1, H, W), nearest for masks (B, C, H, W), zeros from outside.
    """
    theta = draw_affine(len(images), sigma, generator)
    return warp(images, theta), warp(masks, theta, "nearest")
