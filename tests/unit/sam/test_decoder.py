"""Our implementation of SAM's mask decoder gives the results of segment-anything's own."""

import pytest
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer

from samcarry.sam import decoder as module
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.decoder import decode_one_mask
from support.paths import TINY_SAM as TINY

COUNT = 3


def official():
    """The decoder and the prompt encoder of ViT-B, -L and -H, with random weights."""
    torch.manual_seed(0)
    transformer = TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    decoder = MaskDecoder(transformer_dim=256, transformer=transformer)
    return decoder, PromptEncoder(256, (64, 64), (1024, 1024), 16)


def tiny():
    sam = load_sam("tiny", TINY)
    return sam.mask_decoder, sam.prompt_encoder


@pytest.fixture(scope="module", params=[tiny, official])
def parts(request):
    decoder, prompt_encoder = request.param()
    decoder.requires_grad_(False), prompt_encoder.requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(
        1, prompt_encoder.embed_dim, *prompt_encoder.image_embedding_size, generator=generator
    )
    return decoder, prompt_encoder, image


def prompts(prompt_encoder, kind):
    """Embedded prompts of one kind, sparse and dense."""
    generator = torch.Generator().manual_seed(2)
    corners = 200 * torch.rand(COUNT, 2, 2, generator=generator)
    boxes = torch.cat([corners[:, 0], corners[:, 0] + 50 + corners[:, 1]], dim=1)
    points = (300 * torch.rand(COUNT, 4, 2, generator=generator), torch.tensor([[1, 0, 0, 0]] * COUNT))
    logits = 10 * torch.randn(COUNT, 1, *prompt_encoder.mask_input_size, generator=generator)
    given = {
        "box": (None, boxes, None),
        "points": (points, None, None),
        "box and points": (points, boxes, None),
        "points and mask": (points, None, logits),
        "mask": (None, None, logits),
    }
    return prompt_encoder(*given[kind])


@pytest.mark.parametrize("kind", ["box", "points", "box and points", "points and mask", "mask"])
def test_logits_and_quality_are_segment_anythings(parts, kind):
    decoder, prompt_encoder, image = parts
    pe = prompt_encoder.get_dense_pe()
    sparse, dense = prompts(prompt_encoder, kind)
    expected, quality = decoder(
        image_embeddings=image,
        image_pe=pe,
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    logits, estimate = decode_one_mask(decoder, image, pe, sparse, dense)
    torch.testing.assert_close(logits, expected[:, 0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(estimate, quality[:, 0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits[0], logits[1], atol=0.01), "the prompts have no effect"


@pytest.mark.parametrize("kind", ["box", "points"])
def test_shared_image_tokens_are_projected_once_with_the_same_results(parts, kind, monkeypatch):
    decoder, prompt_encoder, image = parts
    pe = prompt_encoder.get_dense_pe()
    sparse, dense = prompts(prompt_encoder, kind)
    for_each = decode_one_mask(decoder, image, pe, sparse, dense)
    keys, attend = [], module._attend

    def counted(attention, q, k, v):
        keys.append(len(k))
        return attend(attention, q, k, v)

    monkeypatch.setattr(module, "_attend", counted)
    shared = decode_one_mask(decoder, image, pe, sparse, dense[:1])
    # Self-attention, tokens to image and image to tokens in both layers, and the final attention.
    assert keys == [COUNT, 1, COUNT, COUNT, COUNT, COUNT, COUNT]
    for found, expected in zip(shared, for_each, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
