"""The mask decoders of SAM 2.1, SAM 3 and SAM-HQ, and the prompt encoder of the first two.

They are segment-anything's own classes with what these models add.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from samcarry.sam.answers import SINGLE_MASK, Answers, LevelsDecoder, drawn
from samcarry.sam.official import MLP, LayerNorm2d, PromptEncoder


class PaddedPromptEncoder(PromptEncoder):
    """SAM 2's prompt encoder: a box is followed by a token "not a point", as points are in SAM.

    A mask alone is accompanied by two of these tokens.
    """

    def forward(
        self, points: tuple[Tensor, Tensor] | None, boxes: Tensor | None, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Sparse (K, N, C) and dense (K, C, h, w) embeddings of K prompts."""
        sparse, dense = super().forward(points, boxes, masks)
        count = 1 if boxes is not None else 2 if points is None else 0
        padding = self.not_a_point_embed.weight.expand(len(sparse), count, -1)
        return torch.cat([sparse, padding], dim=1), dense


class ObjectDecoder(LevelsDecoder):
    """The mask decoder of SAM 2.1 and SAM 3; its extra token says whether the object is there.

    Attributes:
        stability: logits that the edge of a single mask is moved by, and the least IoU of the smaller and the
            larger mask. Below it, the mask with the highest estimated IoU of the three takes its place. None
            = the single mask is always taken.
    """

    def __init__(
        self, *, transformer_dim: int, stability: tuple[float, float] | None, **options: object
    ) -> None:
        super().__init__(transformer_dim=transformer_dim, **options)
        self.extra_token = nn.Embedding(1, transformer_dim)
        self.presence_prediction_head = MLP(transformer_dim, transformer_dim, 1, 3)
        self.iou_prediction_head.sigmoid_output = True
        self.finer = ((transformer_dim // 4, 2), (transformer_dim // 8, 4))
        self.stability = stability

    def answers(
        self, cells: Tensor, finer: Sequence[Tensor], queries: Tensor, masks: Sequence[int]
    ) -> Answers:
        """As `LevelsDecoder.answers`."""
        first, norm, activation, second, last = self.output_upscaling
        middle, fine = finer
        upscaled = last(second(activation(norm(first(cells) + middle))) + fine)
        presence = self.presence_prediction_head(queries[:, 1 + self.num_mask_tokens])[:, 0]
        estimates = self.iou_prediction_head(queries[:, 0])
        if self.stability is None or self.training or tuple(masks) != SINGLE_MASK:
            return Answers(drawn(self, upscaled, queries, masks), estimates[:, list(masks)], presence)
        logits = drawn(self, upscaled, queries, range(self.num_mask_tokens))
        best = 1 + estimates[:, 1:].argmax(dim=1)
        chosen = torch.where(_is_stable(logits[:, 0], *self.stability), 0, best)
        prompts = torch.arange(len(logits), device=logits.device)
        return Answers(logits[prompts, chosen, None], estimates[prompts, chosen, None], presence)


def _is_stable(logits: Tensor, delta: float, least: float) -> Tensor:
    """Whether masks (K, h, w) stay nearly the same when their edge is moved; an empty one does."""
    inner = (logits > delta).sum((1, 2)).float()
    outer = (logits > -delta).sum((1, 2)).float()
    return (outer == 0) | (inner >= least * outer)


class HqDecoder(LevelsDecoder):
    """SAM-HQ's mask decoder: its extra token draws a mask from the finer level, which is added to SAM's."""

    def __init__(self, *, transformer_dim: int, **options: object) -> None:
        super().__init__(transformer_dim=transformer_dim, **options)
        fine, middle = transformer_dim // 8, transformer_dim // 4
        self.extra_token = nn.Embedding(1, transformer_dim)
        self.hq_mask_mlp = MLP(transformer_dim, transformer_dim, fine, 3)
        self.mask_features = nn.Sequential(
            nn.Conv2d(fine, middle, 3, padding=1),
            LayerNorm2d(middle),
            nn.GELU(),
            nn.Conv2d(middle, fine, 3, padding=1),
        )
        self.finer = ((fine, 4),)

    def answers(
        self, cells: Tensor, finer: Sequence[Tensor], queries: Tensor, masks: Sequence[int]
    ) -> Answers:
        """As `LevelsDecoder.answers`."""
        upscaled = self.output_upscaling(cells)
        features = self.mask_features(upscaled) + finer[0]
        weights = self.hq_mask_mlp(queries[:, 1 + self.num_mask_tokens])
        hq = torch.einsum("kc,kchw->khw", weights, features)
        logits = drawn(self, upscaled, queries, masks) + hq[:, None]
        return Answers(logits, self.iou_prediction_head(queries[:, 0])[:, list(masks)], None)
