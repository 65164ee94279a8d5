"""The small SAM has the interface of the others, three masks more, and a presence logit."""

import pytest
import torch
from segment_anything.modeling import Sam

from samcarry.prompting.prompts import Prompt
from samcarry.sam.checkpoints import load_sam, save_sam
from samcarry.sam.decoder import decode
from samcarry.sam.embedding import embed
from samcarry.sam.refinement import decode_prompts
from samcarry.sam.small.model import IMAGE_SIZE, build_small_sam, grow_from_tiny
from samcarry.sam.tiny.model import EMBED_DIM, build_tiny_sam


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(1)
    return build_tiny_sam().requires_grad_(False)


@pytest.fixture(scope="module")
def small(tiny):
    torch.manual_seed(0)
    sam = build_small_sam()
    grow_from_tiny(sam, tiny)
    return sam.requires_grad_(False)


def test_it_is_a_sam_in_evaluation_mode():
    sam = build_small_sam()
    assert isinstance(sam, Sam)
    assert not sam.training
    assert sam.image_encoder.img_size == IMAGE_SIZE


def test_its_export_has_at_most_ten_megabytes(small, tmp_path):
    file = tmp_path / "small.safetensors"
    save_sam("small", file, small, {})
    assert file.stat().st_size < 10e6


@pytest.mark.parametrize("side", [96, 192, 288])
def test_its_weights_fit_an_input_of_any_side_that_is_a_multiple_of_12(small, side):
    sam = build_small_sam(side).requires_grad_(False)
    sam.load_state_dict(small.state_dict())
    embedding = sam.image_encoder(torch.zeros(1, 3, side, side))
    assert embedding.shape == (1, EMBED_DIM, side // 12, side // 12)
    assert sam.prompt_encoder.mask_input_size == (side // 3, side // 3)


def test_a_grown_encoder_begins_with_the_embedding_of_the_tiny_one(small, tiny):
    image = torch.randn(1, 3, 96, 96)
    torch.testing.assert_close(small.image_encoder(image), tiny.image_encoder(image))


def test_new_branches_learn_although_they_begin_with_zeros(tiny):
    sam = build_small_sam(96)
    grow_from_tiny(sam, tiny)
    sam.image_encoder(torch.randn(1, 3, 96, 96)).square().sum().backward()
    assert sam.image_encoder.context[-1].weight.grad.abs().sum() > 0
    assert sam.image_encoder.detail[-1].weight.grad.abs().sum() > 0


def test_four_masks_four_estimates_and_one_presence_logit_a_prompt(small):
    boxes = torch.tensor([[10.0, 10.0, 90.0, 90.0], [50.0, 60.0, 80.0, 200.0]])
    sparse, dense = small.prompt_encoder(None, boxes, None)
    embedding = torch.randn(1, EMBED_DIM, 24, 24)
    pe = small.prompt_encoder.get_dense_pe()
    answers = decode(small.mask_decoder, embedding, pe, sparse, dense, range(4))
    assert answers.logits.shape == (2, 4, 96, 96)
    assert answers.quality.shape == (2, 4)
    assert answers.presence.shape == (2,)


def test_it_is_saved_and_loaded_under_its_own_name_and_asked_like_the_others(small, tmp_path):
    file = tmp_path / "small.safetensors"
    save_sam("small", file, small, {"steps": "7"})
    sam = load_sam("small", file)
    embedding = embed(sam, torch.randint(0, 256, (40, 60), dtype=torch.uint8).numpy())
    prompt = Prompt((10.0, 10.0, 30.0, 25.0), (20.0, 18.0), ())
    logits, quality = decode_prompts(sam, embedding, [prompt], "box+pos", (40, 60))
    assert logits.shape == (1, 96, 96)
    assert quality.shape == (1,)
