"""SAM's image encoder with fused attention: the same weights and the same results with less memory.

segment-anything stores every attention matrix: (rows · columns)² numbers per head, gigabytes per image.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samcarry.sam.official import (
    Block,
    ImageAttention,
    ImageEncoderViT,
    Sam,
    get_rel_pos,
    window_partition,
    window_unpartition,
)

_PART = 2**22
"""Numbers of a bias matrix that a CPU computes at once: 16 MB."""


def encode_images(encoder: nn.Module, images: Tensor) -> Tensor:
    """Embeddings (B, C, rows, columns) of the images (B, 3, S, S) of `to_sam_input`, as by `encoder`."""
    return vit_levels(encoder, images)[0] if isinstance(encoder, ImageEncoderViT) else encoder(images)


def vit_levels(encoder: ImageEncoderViT, images: Tensor) -> tuple[Tensor, Tensor]:
    """The embeddings (B, C, rows, columns), and the early features (B, c, rows, columns) that SAM-HQ uses.

    The early features are those after the first block whose attention covers the whole image.
    """
    x = encoder.patch_embed(images)
    if encoder.pos_embed is not None:
        x = x + encoder.pos_embed
    early = None
    for block in encoder.blocks:
        x = _apply_block(block, x)
        if early is None and block.window_size == 0:
            early = x
    early = x if early is None else early
    return encoder.neck(x.permute(0, 3, 1, 2)), early.permute(0, 3, 1, 2)


def embedding_shape(sam: Sam) -> tuple[int, int, int]:
    """(C, rows, columns) of an embedding, with all its levels."""
    channels = getattr(sam.image_encoder, "channels", sam.prompt_encoder.embed_dim)
    return (channels, *sam.prompt_encoder.image_embedding_size)


def _apply_block(block: Block, x: Tensor) -> Tensor:
    """Apply one transformer block to (B, rows, columns, C)."""
    normed, side = block.norm1(x), block.window_size
    if side > 0:
        windows, padded = window_partition(normed, side)
        attended = window_unpartition(_attend(block.attn, windows), side, padded, tuple(x.shape[1:3]))
    else:
        attended = _attend(block.attn, normed, whole=True)
    x = x + attended
    return x + block.mlp(block.norm2(x))


def _attend(attention: ImageAttention, x: Tensor, *, whole: bool = False) -> Tensor:
    """Attention between the cells of windows, or of whole images, (B, rows, columns, C)."""
    count, rows, columns, _ = x.shape
    qkv = attention.qkv(x).reshape(count, rows * columns, 3, attention.num_heads, -1)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    if not attention.use_rel_pos:
        attended = F.scaled_dot_product_attention(q, k, v)
    else:
        cells = q.unflatten(2, (rows, columns))
        row_vectors = get_rel_pos(rows, rows, attention.rel_pos_h)
        row_terms = torch.einsum("bnhwc,hkc->bnhwk", cells, row_vectors)
        column_vectors = get_rel_pos(columns, columns, attention.rel_pos_w)
        column_terms = torch.einsum("bnhwc,wkc->bnhwk", cells, column_vectors)
        # Measured: avoiding the bias matrix pays only on GPUs and only for whole images, not for windows.
        if x.is_cuda and whole:
            attended = _attend_without_bias(q, k, v, row_terms, column_terms, attention.scale)
        elif not x.is_cuda:
            attended = _attend_by_parts(q, k, v, row_terms, column_terms)
        else:
            bias = (row_terms[..., :, None] + column_terms[..., None, :]).flatten(4).flatten(2, 3)
            attended = F.scaled_dot_product_attention(q, k, v, bias)
    attended = attended.transpose(1, 2).reshape(count, rows, columns, -1)
    return attention.proj(attended.to(qkv.dtype))


def _attend_by_parts(q: Tensor, k: Tensor, v: Tensor, row_terms: Tensor, column_terms: Tensor) -> Tensor:
    """Attention with relative positions on a CPU, whose caches hold the bias of one part at a time.

    It computes in float32, which is as fast as bfloat16 here and more exact: fused attention on CPUs without
    AMX does not multiply faster in bfloat16. Arguments are those of `_attend_without_bias`.
    """
    count, heads, cells, _ = q.shape
    rows, columns = (terms.flatten(0, 1).flatten(1, 2).float() for terms in (row_terms, column_terms))
    q, k, v = (part.flatten(0, 1).float() for part in (q, k, v))
    attended = torch.empty_like(v)
    at_once = max(1, _PART // cells**2)  # heads of windows
    queries = max(1, min(cells, _PART // cells))
    for first in range(0, len(q), at_once):
        some = slice(first, first + at_once)
        for start in range(0, cells, queries):
            part = some, slice(start, start + queries)
            bias = (rows[part][..., :, None] + columns[part][..., None, :]).flatten(2)
            with torch.autocast("cpu", enabled=False):
                attended[part] = F.scaled_dot_product_attention(
                    q[part][None], k[some][None], v[some][None], bias[None]
                )[0]
    return attended.unflatten(0, (count, heads))


def _attend_without_bias(
    q: Tensor, k: Tensor, v: Tensor, row_terms: Tensor, column_terms: Tensor, scale: float
) -> Tensor:
    """Attention with relative positions, without storing their bias matrix of cells² numbers.

    SAM adds to the attention score of query i and key j one term for the key's row and one for its column:

        score(i, j) = scale · (q_i · k_j) + R_i[row(j)] + C_i[column(j)]

    An entry of a vector is its dot product with a one-hot vector: R_i[row(j)] = R_i · e_row(j), and the same
    for columns. The score is thus one dot product of longer vectors, which fused attention kernels compute
    without storing the scores:

        score(i, j) = [scale · q_i, R_i, C_i] · [k_j, e_row(j), e_column(j)]

    Args:
        q: queries (B, heads, cells, c).
        k: keys, of the same shape.
        v: values, of the same shape.
        row_terms: R, the term of each query for each row, (B, heads, rows, columns, rows).
        column_terms: C, the term of each query for each column, (B, heads, rows, columns, columns).
        scale: factor of q · k.
    """
    rows, columns = row_terms.shape[-1], column_terms.shape[-1]
    row_of_key = torch.eye(rows, dtype=k.dtype, device=k.device).repeat_interleave(columns, dim=0)
    column_of_key = torch.eye(columns, dtype=k.dtype, device=k.device).repeat(rows, 1)
    one_hot = torch.cat([row_of_key, column_of_key], dim=1).expand(*k.shape[:2], -1, -1)
    terms = [part.flatten(2, 3).to(q.dtype) for part in (row_terms, column_terms)]
    q = torch.cat([q * scale, *terms], dim=-1)
    k = torch.cat([k, one_hot], dim=-1)
    width = math.ceil(q.shape[-1] / 8) * 8  # fused kernels need equal widths that are multiples of eight
    wide_q, wide_k, wide_v = (F.pad(part, (0, width - part.shape[-1])) for part in (q, k, v))
    return F.scaled_dot_product_attention(wide_q, wide_k, wide_v, scale=1.0)[..., : v.shape[-1]]
