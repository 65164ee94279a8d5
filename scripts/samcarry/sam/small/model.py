"""The second small SAM: the tiny SAM grown wider, with three masks and a presence logit, for crops.

It is a `segment_anything.modeling.Sam` like the others, and runs through the same code.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samcarry.sam.official import MLP, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from samcarry.sam.tiny.model import (
    EMBED_DIM,
    GREY_MEAN,
    GREY_STD,
    STRIDE,
    ResidualBlock,
    axis_frequencies,
)

IMAGE_SIZE = 288
"""Side of the square input in pixels: a crop of three boxes shows the object at 96 pixels."""

CONTEXT_DIM = 192
CELL = STRIDE // 4
"""Input pixels per cell of a low-resolution mask."""


class SmallImageEncoder(nn.Module):
    """A convolutional encoder: the tiny one's layers, a coarse branch, and a path for detail.

    New branches end in zeros, so that an encoder grown from a tiny one begins with its answers.
    """

    def __init__(self, img_size: int = IMAGE_SIZE, embed_dim: int = EMBED_DIM) -> None:
        super().__init__()
        self.img_size = img_size
        self.stem = nn.Sequential(
            nn.Conv2d(1, 24, 5, stride=3, padding=1),
            ResidualBlock(24),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            ResidualBlock(48),
            ResidualBlock(48),
        )
        self.middle = nn.Sequential(
            nn.Conv2d(48, embed_dim, 3, stride=2, padding=1),
            *(ResidualBlock(embed_dim, dilation) for dilation in (1, 2, 4, 1, 2, 4)),
        )
        self.context = nn.Sequential(
            nn.Conv2d(embed_dim, CONTEXT_DIM, 3, stride=2, padding=1),
            *(ResidualBlock(CONTEXT_DIM, dilation) for dilation in (1, 2, 4)),
            nn.GroupNorm(8, CONTEXT_DIM),
            nn.GELU(),
            _silent(nn.Conv2d(CONTEXT_DIM, embed_dim, 1)),
        )
        self.detail = nn.Sequential(
            nn.GroupNorm(8, 48), nn.GELU(), _silent(nn.Conv2d(48, embed_dim, 3, stride=2, padding=1))
        )
        self.last = nn.Sequential(_silent_block(embed_dim), _silent_block(embed_dim))
        self.norm = nn.GroupNorm(1, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) normalised grey repeated three times -> (B, embed_dim, S/12, S/12)."""
        fine = self.stem(x[:, :1])
        cells = self.middle(fine)
        around = F.interpolate(self.context(cells), cells.shape[-2:], mode="bilinear", align_corners=False)
        return self.norm(self.last(cells + around + self.detail(fine)))


def _silent(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _silent_block(channels: int) -> ResidualBlock:
    block = ResidualBlock(channels)
    _silent(cast(nn.Conv2d, block.layers[-1]))
    return block


class PresenceMaskDecoder(MaskDecoder):
    """segment-anything's mask decoder with one more head: is what is asked for there at all?"""

    def __init__(self, *, transformer_dim: int, **options: object) -> None:
        super().__init__(transformer_dim=transformer_dim, **options)
        self.presence_prediction_head = MLP(transformer_dim, transformer_dim, 1, 2)


def build_small_sam(side: int = IMAGE_SIZE) -> Sam:
    """A small SAM with fresh weights (4.2 M parameters), in evaluation mode.

    Args:
        side: of the square input in pixels, a multiple of 12; the weights do not depend on it.
    """
    grid = side // STRIDE
    prompt_encoder = PromptEncoder(
        embed_dim=EMBED_DIM,
        image_embedding_size=(grid, grid),
        input_image_size=(side, side),
        mask_in_chans=16,
    )
    prompt_encoder.pe_layer.positional_encoding_gaussian_matrix.copy_(axis_frequencies(EMBED_DIM // 2))
    mask_decoder = PresenceMaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(depth=2, embedding_dim=EMBED_DIM, mlp_dim=4 * EMBED_DIM, num_heads=4),
        transformer_dim=EMBED_DIM,
        iou_head_depth=2,
        iou_head_hidden_dim=EMBED_DIM,
    )
    sam = Sam(
        image_encoder=SmallImageEncoder(side),
        prompt_encoder=prompt_encoder,
        mask_decoder=mask_decoder,
        pixel_mean=[GREY_MEAN] * 3,
        pixel_std=[GREY_STD] * 3,
    )
    return sam.eval()


@torch.no_grad()
def grow_from_tiny(small: Sam, tiny: Sam, scatter: float = 0.02) -> None:
    """Give a small SAM the weights of a tiny one; its encoder then gives the same embedding.

    Its three other mask tokens begin as copies of the single one, moved by `scatter` of normal noise. The
    masks differ from the tiny one's, since the tokens attend to each other.
    """
    weights = dict(tiny.state_dict())
    new = small.state_dict()
    for name, value in weights.items():
        head, _, rest = name.partition("image_encoder.layers.")
        if rest and not head:
            new[_place_in_encoder(rest)].copy_(value)
        elif name.startswith("mask_decoder.mask_tokens"):
            new[name].copy_(value + _noise(new[name], scatter))
        elif "output_hypernetworks_mlps.0." in name:
            for token in range(small.mask_decoder.num_mask_tokens):
                new[name.replace("mlps.0.", f"mlps.{token}.")].copy_(value)
        elif name.startswith("mask_decoder.iou_prediction_head.layers.1."):
            new[name].copy_(value.expand_as(new[name]))
        else:
            new[name].copy_(value)


def _noise(tokens: Tensor, scatter: float) -> Tensor:
    """Normal noise (tokens, C) for all mask tokens but the first, the single mask's."""
    noise = scatter * torch.randn_like(tokens)
    noise[0] = 0
    return noise


def _place_in_encoder(name: str) -> str:
    """The small encoder's name for a weight of the tiny one's `layers`."""
    index, _, rest = name.partition(".")
    place = int(index)
    if place < 5:
        return f"image_encoder.stem.{place}.{rest}"
    if place < 12:
        return f"image_encoder.middle.{place - 5}.{rest}"
    return f"image_encoder.norm.{rest}"
