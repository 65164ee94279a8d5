"""SAM's mask decoder for many prompts on one image, with nothing computed twice.

segment-anything repeats the image's embedding for every prompt before it begins, answers with four masks
where one is wanted, and writes out every attention matrix. The weights and the answer are the same here.
"""

import torch
import torch.nn.functional as F
from segment_anything.modeling import MaskDecoder
from segment_anything.modeling.transformer import Attention
from torch import Tensor


def decode_one_mask(
    decoder: MaskDecoder, image: Tensor, image_pe: Tensor, sparse: Tensor, dense: Tensor
) -> tuple[Tensor, Tensor]:
    """Low-resolution logits (K, 4h, 4w) and estimated IoU (K,): as `decoder` with multimask_output=False.

    Where no prompt has a mask of its own, the image's tokens stay the same for all of them up to the end
    of the first layer, and what it makes of them is computed once.

    Args:
        decoder: of the model.
        image: embedding of the image, (1, C, h, w).
        image_pe: its positional encoding, (1, C, h, w).
        sparse: points and boxes of K prompts, embedded, (K, N, C).
        dense: their masks, embedded, (K, C, h, w); (1, C, h, w) where all have the same.
    """
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([own.expand(len(sparse), -1, -1), sparse], dim=1)
    pe = _as_tokens(image_pe)
    queries, keys = tokens, _as_tokens(image + dense)
    transformer = decoder.transformer
    for layer in transformer.layers:
        if layer.skip_first_layer_pe:
            queries = _attend(layer.self_attn, queries, queries, queries)
        else:
            placed = queries + tokens
            queries = queries + _attend(layer.self_attn, placed, placed, queries)
        queries = layer.norm1(queries)
        placed_keys = keys + pe
        found = _attend(layer.cross_attn_token_to_image, queries + tokens, placed_keys, keys)
        queries = layer.norm2(queries + found)
        queries = layer.norm3(queries + layer.mlp(queries))
        found = _attend(layer.cross_attn_image_to_token, placed_keys, queries + tokens, queries)
        keys = layer.norm4(keys + found)
    found = _attend(transformer.final_attn_token_to_image, queries + tokens, keys + pe, keys)
    queries = transformer.norm_final_attn(queries + found)

    upscaled = decoder.output_upscaling(keys.transpose(1, 2).unflatten(2, image.shape[2:]))
    of_mask = decoder.output_hypernetworks_mlps[0](queries[:, 1])
    logits = torch.einsum("kc,kchw->khw", of_mask, upscaled)
    return logits, decoder.iou_prediction_head(queries[:, 0])[:, 0]


def _as_tokens(image: Tensor) -> Tensor:
    """(K, C, h, w) -> (K, h·w, C)."""
    return image.flatten(2).transpose(1, 2).contiguous()


def _attend(attention: Attention, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """`attention` of (K, tokens, C), where q, or k and v, may be the same for all: (1, tokens, C)."""
    projected = (attention.q_proj(q), attention.k_proj(k), attention.v_proj(v))
    count = max(len(q), len(k))
    heads = (
        part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2).expand(count, -1, -1, -1)
        for part in projected
    )
    return attention.out_proj(F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
