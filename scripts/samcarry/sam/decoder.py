"""SAM's mask decoder for many prompts on one image, without repeated computation.

segment-anything repeats the image embedding for every prompt, computes four masks although one is needed, and
stores every attention matrix. This module avoids all three, with the same weights and the same results.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from samcarry.sam.answers import SINGLE_MASK, Answers, LevelsDecoder, drawn
from samcarry.sam.levels import unpacked
from samcarry.sam.official import MaskDecoder, PromptAttention


def decode(
    decoder: MaskDecoder,
    image: Tensor,
    image_pe: Tensor,
    sparse: Tensor,
    dense: Tensor,
    masks: Sequence[int] = SINGLE_MASK,
) -> Answers:
    """The answers of `decoder` to K prompts on one image, or on one image each.

    If all prompts have the same image and none has a mask, the image tokens are the same for all prompts
    until the end of the first layer. They and their projections are then computed once.

    Args:
        decoder: the mask decoder of the model.
        image: image embedding, (1, C, h, w) for all prompts or (K, C, h, w), of all levels.
        image_pe: positional encoding of the image, (1, C, h, w).
        sparse: embedded points and boxes of K prompts, (K, N, C).
        dense: embedded masks of the prompts, (K, C, h, w), or (1, C, h, w) if all prompts have the same.
        masks: which of the four masks to compute.
    """
    output_tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    finer: list[Tensor] = []
    if isinstance(decoder, LevelsDecoder):
        output_tokens = torch.cat([output_tokens, decoder.extra_token.weight])
        image, *finer = unpacked(image, decoder.transformer_dim, decoder.finer)
    tokens = torch.cat([output_tokens.expand(len(sparse), -1, -1), sparse], dim=1)
    pe = _as_tokens(image_pe)
    queries, keys = tokens, _as_tokens(image + dense)
    transformer = decoder.transformer
    for layer in transformer.layers:
        if layer.skip_first_layer_pe:
            queries = _attend(layer.self_attn, queries, queries, queries)
        else:
            positioned = queries + tokens
            queries = queries + _attend(layer.self_attn, positioned, positioned, queries)
        queries = layer.norm1(queries)
        positioned_keys = keys + pe
        attended = _attend(layer.cross_attn_token_to_image, queries + tokens, positioned_keys, keys)
        queries = layer.norm2(queries + attended)
        queries = layer.norm3(queries + layer.mlp(queries))
        attended = _attend(layer.cross_attn_image_to_token, positioned_keys, queries + tokens, queries)
        keys = layer.norm4(keys + attended)
    attended = _attend(transformer.final_attn_token_to_image, queries + tokens, keys + pe, keys)
    queries = transformer.norm_final_attn(queries + attended)

    cells = keys.transpose(1, 2).unflatten(2, image.shape[2:])
    if isinstance(decoder, LevelsDecoder):
        return decoder.answers(cells, finer, queries, masks)
    logits = drawn(decoder, decoder.output_upscaling(cells), queries, masks)
    quality = decoder.iou_prediction_head(queries[:, 0])[:, list(masks)]
    head = getattr(decoder, "presence_prediction_head", None)
    return Answers(logits, quality, None if head is None else head(queries[:, 0])[:, 0])


def _as_tokens(image: Tensor) -> Tensor:
    """(K, C, h, w) -> (K, h·w, C)."""
    return image.flatten(2).transpose(1, 2).contiguous()


def _attend(attention: PromptAttention, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of q, k and v (K, tokens, C); q, or k and v, may be shared by all prompts (1, tokens, C)."""
    projected = (attention.q_proj(q), attention.k_proj(k), attention.v_proj(v))
    count = max(len(q), len(k))
    heads = (
        part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2).expand(count, -1, -1, -1)
        for part in projected
    )
    return attention.out_proj(F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
