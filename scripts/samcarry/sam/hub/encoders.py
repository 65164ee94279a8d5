"""Image encoders whose embeddings have several levels: those of SAM 2.1, SAM 3 and SAM-HQ."""

import torch
from torch import Tensor, nn

from samcarry.sam.encoder import vit_levels
from samcarry.sam.levels import packed
from samcarry.sam.official import ImageEncoderViT, LayerNorm2d


class PyramidEncoder(nn.Module):
    """An image encoder of transformers that gives levels of 4, 2 and 1 cells per coarse cell and side.

    Both finer levels pass a 1×1 convolution of SAM 2's mask decoder here, and not once a prompt.

    Attributes:
        squeezes: both sides of an image fill the square input.
    """

    squeezes = True

    def __init__(self, vision: nn.Module, side: int, channels: int) -> None:
        super().__init__()
        self.img_size, self.channels = side, 4 * channels
        self.vision = vision
        self.conv_s0 = nn.Conv2d(channels, channels // 8, 1)
        self.conv_s1 = nn.Conv2d(channels, channels // 4, 1)
        # What SAM 2 adds to an image that is not a later one of a video.
        self.no_memory = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, S, S) -> embeddings (B, 4·C, S/16, S/16); SAM 3 has S/14."""
        fine, middle, coarse = self.vision(images).fpn_hidden_states[:3]
        coarse = coarse + self.no_memory.reshape(1, -1, 1, 1)
        return packed(coarse, [self.conv_s1(middle), self.conv_s0(fine)])


class HqEncoder(nn.Module):
    """SAM's image encoder with SAM-HQ's finer level, made of early and of final features."""

    def __init__(self, vit: ImageEncoderViT, width: int, channels: int) -> None:
        super().__init__()
        self.img_size, self.channels = vit.img_size, 3 * channels
        self.vit = vit
        self.early = _enlarging(width, channels, channels)
        self.late = _enlarging(channels, channels // 4, channels)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised, padded images (B, 3, S, S) -> embeddings (B, 3·C, S/16, S/16)."""
        final, early = vit_levels(self.vit, images)
        return packed(final, [self.late(final) + self.early(early)])


def _enlarging(given: int, between: int, channels: int) -> nn.Sequential:
    """Enlarges (B, given, h, w) to (B, channels / 8, 4h, 4w)."""
    return nn.Sequential(
        nn.ConvTranspose2d(given, between, 2, stride=2),
        LayerNorm2d(between),
        nn.GELU(),
        nn.ConvTranspose2d(between, channels // 8, 2, stride=2),
    )
