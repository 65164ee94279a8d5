"""Augmentation: a random affine map per sample (paper §3.1), and strong views, beyond the paper."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


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
    theta = draw_affine(len(images), sigma, generator).to(images.device)
    grid = affine_grid(theta, images.shape)  # both have the same height and width
    return (
        F.grid_sample(images, grid, mode="bilinear", align_corners=False),
        F.grid_sample(masks, grid, mode="nearest", align_corners=False),
    )


def strong_view(images: Tensor, probability: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Change the grey values, add noise, and paste a box from another case of the batch (CutMix).

    Own code instead of `torchvision.transforms.v2`, which draws from the global random generator: a resumed
    training needs all random numbers from `generator`.

    Args:
        images: normalised (B, 1, H, W).
        probability: masks or predictions (B, C, H, W), from which the same boxes are pasted.
        generator: source of all random numbers.

    Returns:
        The changed images, and the masks or predictions with the pasted boxes.
    """
    count, _, height, width = images.shape
    contrast, brightness, blur, noise = torch.rand(4, count, 1, 1, 1, generator=generator).to(images.device)
    smooth = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    changed = torch.where(blur < 0.5, smooth, images) * (0.6 + 0.8 * contrast) + (brightness - 0.5)
    changed = changed + 0.2 * noise * torch.randn(images.shape, generator=generator).to(images.device)
    inside = torch.zeros(count, 1, height, width, dtype=torch.bool)
    sides = torch.rand(count, 4, generator=generator)
    for mask, (vertical, horizontal, top, left) in zip(inside, sides.tolist(), strict=True):
        rows, columns = round(height * (0.2 + 0.3 * vertical)), round(width * (0.2 + 0.3 * horizontal))
        row, column = round((height - rows) * top), round((width - columns) * left)
        mask[:, row : row + rows, column : column + columns] = True
    inside = inside.to(images.device)
    return (
        torch.where(inside, changed.roll(1, dims=0), changed),
        torch.where(inside, probability.roll(1, dims=0), probability),
    )
