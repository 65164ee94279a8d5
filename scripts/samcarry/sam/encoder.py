"""SAM's image encoder with its attention fused: the same weights and the same answer.

segment-anything writes out every attention matrix: (rows · columns)² numbers a head, gigabytes an image.
"""

import torch
import torch.nn.functional as F
from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import (
    Attention,
    Block,
    get_rel_pos,
    window_partition,
    window_unpartition,
)
from torch import Tensor, nn


def encode(encoder: nn.Module, images: Tensor) -> Tensor:
    """Embeddings (B, C, rows, columns) of normalised, padded images (B, 3, S, S): as `encoder` gives them."""
    if not isinstance(encoder, ImageEncoderViT):
        return encoder(images)
    x = encoder.patch_embed(images)
    if encoder.pos_embed is not None:
        x = x + encoder.pos_embed
    for block in encoder.blocks:
        x = _through(block, x)
    return encoder.neck(x.permute(0, 3, 1, 2))


def _through(block: Block, x: Tensor) -> Tensor:
    """One transformer block, (B, rows, columns, C)."""
    normed, side = block.norm1(x), block.window_size
    if side > 0:
        windows, padded = window_partition(normed, side)
        attended = window_unpartition(_attend(block.attn, windows), side, padded, tuple(x.shape[1:3]))
    else:
        attended = _attend(block.attn, normed, whole=True)
    x = x + attended
    return x + block.mlp(block.norm2(x))


def _attend(attention: Attention, x: Tensor, *, whole: bool = False) -> Tensor:
    """Attention among the cells of windows, or of whole images, (B, rows, columns, C)."""
    count, rows, columns, _ = x.shape
    qkv = attention.qkv(x).reshape(count, rows * columns, 3, attention.num_heads, -1)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    if not attention.use_rel_pos:
        found = F.scaled_dot_product_attention(q, k, v)
    else:
        cells = q.unflatten(2, (rows, columns))
        of_rows = torch.einsum("bnhwc,hkc->bnhwk", cells, get_rel_pos(rows, rows, attention.rel_pos_h))
        to_columns = get_rel_pos(columns, columns, attention.rel_pos_w)
        of_columns = torch.einsum("bnhwc,wkc->bnhwk", cells, to_columns)
        # Measured: a matrix of the small windows is no burden, one of the whole image only to a GPU.
        if x.is_cuda and whole:
            found = _without_matrix(q, k, v, of_rows, of_columns, attention.scale)
        else:
            bias = (of_rows[..., :, None] + of_columns[..., None, :]).flatten(4).flatten(2, 3)
            found = F.scaled_dot_product_attention(q, k, v, bias)
    return attention.proj(found.transpose(1, 2).reshape(count, rows, columns, -1))


def _without_matrix(
    q: Tensor, k: Tensor, v: Tensor, of_rows: Tensor, of_columns: Tensor, scale: float
) -> Tensor:
    """Attention of (B, heads, cells, c) with relative positions, and nothing of cells² numbers.

    What a query adds for a key's row is one of the query's own numbers: the product of these with a vector
    that is 1 at the key's row and 0 elsewhere. So is that for its column. Both products join q · k.

    Args:
        q: queries.
        k: keys.
        v: values.
        of_rows: what each query adds for each row, (B, heads, rows, columns, rows).
        of_columns: for each column, (B, heads, rows, columns, columns).
        scale: of q · k.
    """
    rows, columns = of_rows.shape[-1], of_columns.shape[-1]
    row_of_key = torch.eye(rows, dtype=k.dtype, device=k.device).repeat_interleave(columns, dim=0)
    column_of_key = torch.eye(columns, dtype=k.dtype, device=k.device).repeat(rows, 1)
    places = torch.cat([row_of_key, column_of_key], dim=1).expand(*k.shape[:2], -1, -1)
    added = [part.flatten(2, 3).to(q.dtype) for part in (of_rows, of_columns)]
    q = torch.cat([q * scale, *added], dim=-1)
    k = torch.cat([k, places], dim=-1)
    width = -(-q.shape[-1] // 8) * 8  # the fused kernels want multiples of eight, the same for all three
    wide_q, wide_k, wide_v = (F.pad(part, (0, width - part.shape[-1])) for part in (q, k, v))
    return F.scaled_dot_product_attention(wide_q, wide_k, wide_v, scale=1.0)[..., : v.shape[-1]]
