"""The tiny SAM: segment-anything's prompt encoder and mask decoder on a small image encoder.

It is a `segment_anything.modeling.Sam` like the official models, and the same code runs it.
"""

import math

import torch
from torch import Tensor, nn

from samcarry.sam.official import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

IMAGE_SIZE = 384
"""Side of the square input in pixels (the official models: 1024)."""

STRIDE = 12
"""Input pixels per embedding cell and side; low-resolution masks have four cells per embedding cell."""

EMBED_DIM = 96
GREY_MEAN, GREY_STD = 110.0, 55.0


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions, the first one dilated, with a skip connection."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation),
            nn.GroupNorm(8, channels),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return x + self.layers(x)


class TinyImageEncoder(nn.Module):
    """A convolutional encoder with segment-anything's encoder interface.

    Strides of 3, 2 and 2 reduce a 384-pixel image to a 32×32 embedding. Dilations let each cell see the
    entire image.
    """

    def __init__(self, img_size: int = IMAGE_SIZE, embed_dim: int = EMBED_DIM) -> None:
        super().__init__()
        self.img_size = img_size
        self.layers = nn.Sequential(
            nn.Conv2d(1, 24, 5, stride=3, padding=1),
            ResidualBlock(24),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            ResidualBlock(48),
            ResidualBlock(48),
            nn.Conv2d(48, embed_dim, 3, stride=2, padding=1),
            *(ResidualBlock(embed_dim, dilation) for dilation in (1, 2, 4, 1, 2, 4)),
            nn.GroupNorm(1, embed_dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Normalised grey images repeated three times (B, 3, S, S) -> (B, embed_dim, S/12, S/12)."""
        return self.layers(x[:, :1])


def axis_frequencies(count: int) -> Tensor:
    """Frequencies for segment-anything's positional encoding, (2, count).

    The official frequencies are drawn from a Gaussian. Here half of the waves run along x and half along y,
    from a quarter to eight periods in logarithmic steps. "Inside the box" thus becomes separable, and a small
    decoder learns it within hundreds of steps.
    """
    half = count // 2
    waves = torch.logspace(math.log10(0.25), math.log10(8.0), half)
    matrix = torch.zeros(2, count)
    matrix[0, :half] = waves
    matrix[1, half : 2 * half] = waves
    return matrix


def build_tiny_sam() -> Sam:
    """A tiny SAM with random weights (1.5 M parameters), in evaluation mode."""
    grid = IMAGE_SIZE // STRIDE
    prompt_encoder = PromptEncoder(
        embed_dim=EMBED_DIM,
        image_embedding_size=(grid, grid),
        input_image_size=(IMAGE_SIZE, IMAGE_SIZE),
        # Its LayerNorm covers a quarter of these: with 8 channels, only the sign of two numbers would remain.
        mask_in_chans=16,
    )
    prompt_encoder.pe_layer.positional_encoding_gaussian_matrix.copy_(axis_frequencies(EMBED_DIM // 2))
    mask_decoder = MaskDecoder(
        num_multimask_outputs=0,
        transformer=TwoWayTransformer(depth=2, embedding_dim=EMBED_DIM, mlp_dim=4 * EMBED_DIM, num_heads=4),
        transformer_dim=EMBED_DIM,
        iou_head_depth=2,
        iou_head_hidden_dim=EMBED_DIM,
    )
    sam = Sam(
        image_encoder=TinyImageEncoder(),
        prompt_encoder=prompt_encoder,
        mask_decoder=mask_decoder,
        pixel_mean=[GREY_MEAN] * 3,
        pixel_std=[GREY_STD] * 3,
    )
    return sam.eval()
