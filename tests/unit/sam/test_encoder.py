"""Our implementation of SAM's image encoder gives the results of segment-anything's own."""

from functools import partial

import pytest
import torch
from segment_anything.modeling import ImageEncoderViT
from torch import nn

from samcarry.sam import encoder as module
from samcarry.sam.encoder import encode_images


def small(**changes):
    """A small ViT like SAM's, with windows that do not fill the grid of 5×5 cells."""
    shape = {"img_size": 80, "patch_size": 16, "embed_dim": 36, "depth": 3, "num_heads": 3, "out_chans": 8}
    torch.manual_seed(0)
    made = ImageEncoderViT(
        **{**shape, "use_rel_pos": True, "window_size": 3, "global_attn_indexes": (1,), **changes},
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )
    for name, weight in made.named_parameters():
        if "rel_pos" in name or "pos_embed" in name:  # they are initially zero, which would hide errors
            nn.init.normal_(weight, std=0.5)
    return made.eval().requires_grad_(False)


def images():
    return torch.randn(2, 3, 80, 80, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "changes", [{}, {"use_rel_pos": False}, {"use_abs_pos": False}, {"window_size": 0}, {"qkv_bias": False}]
)
def test_embeddings_are_segment_anythings(changes):
    made = small(**changes)
    torch.testing.assert_close(encode_images(made, images()), made(images()), atol=1e-5, rtol=1e-4)


def test_relative_positions_matter():
    made = small()
    before = encode_images(made, images())
    made.blocks[1].attn.rel_pos_h.zero_()
    assert not torch.allclose(encode_images(made, images()), before, atol=1e-3)


@pytest.mark.parametrize(("part", "scale"), [(None, 0.3), (2**22, 12**-0.5), (500, 12**-0.5), (40, 12**-0.5)])
def test_attention_without_a_whole_bias_matrix_is_the_same(part, scale, monkeypatch):
    """`part` numbers of the bias at once: all heads, some heads, some queries of a head; None = no bias."""
    generator = torch.Generator().manual_seed(0)
    rows, columns, width = 5, 3, 12
    q, k, v = torch.randn(3, 2, 4, rows * columns, width, generator=generator)
    row_terms = torch.randn(2, 4, rows, columns, rows, generator=generator)
    column_terms = torch.randn(2, 4, rows, columns, columns, generator=generator)
    scores = (
        scale * (q @ k.transpose(2, 3)).unflatten(2, (rows, columns)).unflatten(4, (rows, columns))
        + row_terms[..., :, None]
        + column_terms[..., None, :]
    )
    expected = scores.flatten(4).flatten(2, 3).softmax(dim=-1) @ v
    if part is None:
        found = module._attend_without_bias(q, k, v, row_terms, column_terms, scale)
    else:
        monkeypatch.setattr(module, "_PART", part)
        found = module._attend_by_parts(q, k, v, row_terms, column_terms)
    torch.testing.assert_close(found, expected)


def test_attention_of_an_encoder_in_bfloat16_computes_in_float32():
    parts = torch.randn(5, 1, 4, 15, 12, generator=torch.Generator().manual_seed(0))
    terms = parts[3:, ..., :5].unflatten(3, (5, 3))
    exact = module._attend_by_parts(*parts[:3], terms[0], terms[1][..., :3])
    with torch.autocast("cpu", torch.bfloat16):
        found = module._attend_by_parts(*parts[:3], terms[0], terms[1][..., :3])
    assert torch.equal(found, exact)


def test_another_encoder_is_called_unchanged():
    other = nn.Conv2d(3, 8, 16, stride=16)
    assert torch.equal(encode_images(other, images()), other(images()))
