"""Embeddings of several levels in one tensor."""

import torch

from samcarry.sam.levels import packed, unpacked


def test_levels_are_the_same_after_a_round_trip():
    generator = torch.Generator().manual_seed(0)
    coarse, middle, fine = (
        torch.randn(2, channels, side, side, generator=generator)
        for channels, side in ((32, 8), (8, 16), (4, 32))
    )
    embedding = packed(coarse, [middle, fine])
    assert embedding.shape == (2, 32 + 8 * 4 + 4 * 16, 8, 8)
    assert torch.equal(embedding[:, :32], coarse)
    back = unpacked(embedding, 32, ((8, 2), (4, 4)))
    assert all(torch.equal(*pair) for pair in zip(back, (coarse, middle, fine), strict=True))
