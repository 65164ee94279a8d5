"""What a mask decoder answers, and the decoders that answer from embeddings of several levels.

Apart from `decoder`, because models are built of these classes, and embedding needs models but no decoding.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from samcarry.sam.official import MaskDecoder

SINGLE_MASK = (0,)
"""The mask for prompts that leave no doubt (`multimask_output=False` in segment-anything)."""

THREE_MASKS = (1, 2, 3)
"""The masks for whole, part and subpart (`multimask_output=True`)."""


@dataclass(frozen=True)
class Answers:
    """What the decoder answers to K prompts with M masks each.

    Attributes:
        logits: low-resolution logits (K, M, 4h, 4w).
        quality: estimated IoU (K, M).
        presence: logits of whether the object is there at all (K,); None for a model without that head.
    """

    logits: Tensor
    quality: Tensor
    presence: Tensor | None


class LevelsDecoder(MaskDecoder, ABC):
    """A mask decoder with one more token, for embeddings of several levels (see `levels`).

    Attributes:
        extra_token: attends like the other tokens; the model says what it is for.
        finer: channels of each finer level, and its cells per coarse cell and side.
    """

    extra_token: nn.Embedding
    finer: tuple[tuple[int, int], ...]

    @abstractmethod
    def answers(
        self, cells: Tensor, finer: Sequence[Tensor], queries: Tensor, masks: Sequence[int]
    ) -> Answers:
        """The answers, from what the transformer made of K prompts.

        Args:
            cells: image tokens on their grid, (K, C, h, w).
            finer: the finer levels, (1 or K, c, f·h, f·w) each.
            queries: tokens (K, N, C): that of the IoU, those of the four masks, the extra one, the prompts.
            masks: which of the four masks to compute.
        """


def drawn(decoder: MaskDecoder, upscaled: Tensor, queries: Tensor, masks: Sequence[int]) -> Tensor:
    """Logits (K, M, 4h, 4w) of M of the four masks, from enlarged cells (K, c, 4h, 4w) and the tokens."""
    weights = [decoder.output_hypernetworks_mlps[index](queries[:, 1 + index]) for index in masks]
    return torch.einsum("kmc,kchw->kmhw", torch.stack(weights, dim=1), upscaled)
