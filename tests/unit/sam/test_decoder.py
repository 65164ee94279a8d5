"""Our implementation of SAM's mask decoder gives the results of segment-anything's own."""

import pytest
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer

from samcarry.sam import decoder as module
from samcarry.sam.answers import SINGLE_MASK, THREE_MASKS
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.decoder import decode
from samcarry.sam.small.model import build_small_sam
from support.paths import TINY_SAM as TINY

COUNT = 3


def official():
    """The decoder and the prompt encoder of ViT-B, -L and -H on a smaller grid, with random weights."""
    torch.manual_seed(0)
    transformer = TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    decoder = MaskDecoder(transformer_dim=256, transformer=transformer)
    return decoder, PromptEncoder(256, (24, 24), (384, 384), 16)


def tiny():
    sam = load_sam("tiny", TINY)
    return sam.mask_decoder, sam.prompt_encoder


def small():
    """A decoder with a presence head."""
    torch.manual_seed(0)
    sam = build_small_sam(96)
    return sam.mask_decoder, sam.prompt_encoder


@pytest.fixture(scope="module", params=[tiny, small, official])
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


def reference(parts, image, sparse, dense, multimask=False):
    """The answer of segment-anything's own code."""
    decoder, prompt_encoder, _ = parts
    return decoder(
        image_embeddings=image,
        image_pe=prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=multimask,
    )


def assert_close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def masks_of(decoder):
    """The choices of masks that a decoder has, and segment-anything's flag for each."""
    return {SINGLE_MASK: False} | ({THREE_MASKS: True} if decoder.num_multimask_outputs else {})


@pytest.mark.parametrize("kind", ["box", "points", "box and points", "points and mask", "mask"])
def test_logits_and_quality_are_segment_anythings(parts, kind):
    decoder, prompt_encoder, image = parts
    sparse, dense = prompts(prompt_encoder, kind)
    for masks, multimask in masks_of(decoder).items():
        expected, quality = reference(parts, image, sparse, dense, multimask)
        answers = decode(decoder, image, prompt_encoder.get_dense_pe(), sparse, dense, masks)
        assert_close(answers.logits, expected)
        assert_close(answers.quality, quality)
        for mask in range(len(masks)):
            first, second = answers.logits[:2, mask]
            assert not torch.allclose(first, second, atol=0.01), "the prompts have no effect"


def test_one_mask_is_decoded_unless_others_are_asked_for(parts):
    decoder, prompt_encoder, image = parts
    pe = prompt_encoder.get_dense_pe()
    sparse, dense = prompts(prompt_encoder, "box")
    everything = decode(decoder, image, pe, sparse, dense, range(decoder.num_mask_tokens))
    assert everything.logits.shape[:2] == everything.quality.shape == (COUNT, decoder.num_mask_tokens)
    single = decode(decoder, image, pe, sparse, dense)
    assert_close(single.logits, everything.logits[:, :1])
    assert_close(single.quality, everything.quality[:, :1])


@pytest.mark.parametrize("kind", ["box", "points and mask"])
def test_each_prompt_may_have_an_image_of_its_own(parts, kind):
    decoder, prompt_encoder, image = parts
    pe = prompt_encoder.get_dense_pe()
    sparse, dense = prompts(prompt_encoder, kind)
    images = torch.cat([image, image.flip(3), -image])
    answers = decode(decoder, images, pe, sparse, dense)
    for k in range(COUNT):
        expected, quality = reference(parts, images[k : k + 1], sparse[k : k + 1], dense[k : k + 1])
        assert_close(answers.logits[k : k + 1], expected)
        assert_close(answers.quality[k : k + 1], quality)
    shared_mask = decode(decoder, images, pe, sparse, dense[:1].expand_as(dense))
    assert_close(decode(decoder, images, pe, sparse, dense[:1]).logits, shared_mask.logits)


def test_presence_is_the_heads_answer_to_the_token_that_estimates_quality(parts):
    decoder, prompt_encoder, image = parts
    sparse, dense = prompts(prompt_encoder, "box")
    presence = decode(decoder, image, prompt_encoder.get_dense_pe(), sparse, dense).presence
    if not hasattr(decoder, "presence_prediction_head"):
        assert presence is None
        return
    tokens = []
    hook = decoder.iou_prediction_head.register_forward_pre_hook(lambda _, inputs: tokens.extend(inputs))
    reference(parts, image, sparse, dense)
    hook.remove()
    assert_close(presence, decoder.presence_prediction_head(tokens[0])[:, 0])
    assert presence.shape == (COUNT,)
    assert len(set(presence.tolist())) == COUNT, "the prompts have no effect"


def test_gradients_are_those_of_segment_anything(parts):
    decoder, prompt_encoder, image = parts
    sparse, dense = prompts(prompt_encoder, "points and mask")
    weights = [
        decoder.mask_tokens.weight,
        decoder.transformer.layers[0].cross_attn_token_to_image.k_proj.weight,
    ]

    def gradients(ask):
        inputs = [value.detach().clone().requires_grad_() for value in (image, sparse, dense)]
        for weight in weights:
            weight.requires_grad_(True)
        logits, quality = ask(*inputs)
        found = torch.autograd.grad(logits.square().mean() + quality.square().sum(), [*inputs, *weights])
        for weight in weights:
            weight.requires_grad_(False)
        return found

    def ours(image, sparse, dense):
        answers = decode(decoder, image, prompt_encoder.get_dense_pe(), sparse, dense)
        return answers.logits, answers.quality

    expected = gradients(lambda *inputs: reference(parts, *inputs))
    for found, theirs in zip(gradients(ours), expected, strict=True):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(found, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


@pytest.mark.parametrize("kind", ["box", "points"])
def test_shared_image_tokens_are_projected_once_with_the_same_results(parts, kind, monkeypatch):
    decoder, prompt_encoder, image = parts
    pe = prompt_encoder.get_dense_pe()
    sparse, dense = prompts(prompt_encoder, kind)
    for_each = decode(decoder, image, pe, sparse, dense)
    keys, attend = [], module._attend

    def counted(attention, q, k, v):
        keys.append(len(k))
        return attend(attention, q, k, v)

    monkeypatch.setattr(module, "_attend", counted)
    shared = decode(decoder, image, pe, sparse, dense[:1])
    # Self-attention, tokens to image and image to tokens in both layers, and the final attention.
    assert keys == [COUNT, 1, COUNT, COUNT, COUNT, COUNT, COUNT]
    assert_close(shared.logits, for_each.logits)
    assert_close(shared.quality, for_each.quality)
