"""Embeddings of several levels in one tensor.

SAM 2.1, SAM 3 and SAM-HQ add finer levels to the coarse embedding of SAM. Each level is a square grid, and a
cell of the coarse one covers 2×2 or 4×4 cells of a finer one. These become channels of the coarse cell, so
that an embedding is one tensor (C, rows, columns) for every model: it is stored, cut and stacked in the same
way. Its first channels are the coarse level.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def packed(coarse: Tensor, finer: Sequence[Tensor]) -> Tensor:
    """One tensor (B, C, rows, columns) of a coarse level and finer ones, (B, c, f·rows, f·columns) each."""
    parts = [F.pixel_unshuffle(level, level.shape[-1] // coarse.shape[-1]) for level in finer]
    return torch.cat([coarse, *parts], dim=1)


def unpacked(embedding: Tensor, coarse: int, finer: Sequence[tuple[int, int]]) -> list[Tensor]:
    """The levels of embeddings (B, C, rows, columns) from `packed`, the coarse one first.

    Args:
        embedding: embeddings of B images.
        coarse: channels of the coarse level.
        finer: channels of each finer level, and its cells per coarse cell and side.
    """
    sizes = [coarse, *(channels * factor**2 for channels, factor in finer)]
    first, *parts = embedding.split(sizes, dim=1)
    return [first, *(F.pixel_shuffle(part, factor) for part, (_, factor) in zip(parts, finer, strict=True))]
