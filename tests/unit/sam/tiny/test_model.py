"""The tiny SAM has the interface of the official ones, and is small."""

import math

import pytest
import torch
from segment_anything.modeling import Sam

from samcarry.sam.tiny.model import (
    EMBED_DIM,
    IMAGE_SIZE,
    STRIDE,
    ResidualBlock,
    axis_frequencies,
    build_tiny_sam,
)


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return build_tiny_sam()


def test_it_is_a_sam_in_evaluation_mode(sam):
    assert isinstance(sam, Sam)
    assert not sam.training


def test_it_is_small(sam):
    assert sum(parameter.numel() for parameter in sam.parameters()) < 2e6


def test_its_embedding_fits_its_prompt_encoder(sam):
    with torch.inference_mode():
        embedding = sam.image_encoder(torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE))
    grid = IMAGE_SIZE // STRIDE
    assert embedding.shape == (1, EMBED_DIM, grid, grid)
    assert sam.prompt_encoder.image_embedding_size == (grid, grid)


def test_low_resolution_masks_have_four_cells_per_embedding_cell(sam):
    with torch.inference_mode():
        sparse, dense = sam.prompt_encoder(None, torch.tensor([[10.0, 10.0, 90.0, 90.0]]), None)
        masks, quality = sam.mask_decoder(
            image_embeddings=torch.zeros(1, EMBED_DIM, 32, 32),
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
    assert masks.shape == (1, 1, *sam.prompt_encoder.mask_input_size)
    assert masks.shape[-1] == 4 * IMAGE_SIZE // STRIDE
    assert quality.shape == (1, 1)


def test_a_window_is_embedded_as_a_smaller_grid(sam):
    with torch.inference_mode():
        embedding = sam.image_encoder(torch.zeros(2, 3, IMAGE_SIZE // 2, IMAGE_SIZE // 2))
    assert embedding.shape == (2, EMBED_DIM, 16, 16)


def test_half_the_waves_run_along_x_and_half_along_y():
    frequencies = axis_frequencies(48)
    assert frequencies.shape == (2, 48)
    assert ((frequencies != 0).sum(0) == 1).all()
    assert (frequencies != 0).sum(1).tolist() == [24, 24]


def test_waves_have_a_quarter_to_eight_periods_in_equal_ratios():
    along_x = axis_frequencies(48)[0, :24]
    assert (along_x[0].item(), along_x[-1].item()) == (pytest.approx(0.25), pytest.approx(8))
    ratios = along_x[1:] / along_x[:-1]
    assert ratios.tolist() == pytest.approx([math.exp(math.log(32) / 23)] * 23, rel=1e-5)


def test_the_frequencies_are_part_of_the_checkpoint(sam):
    name = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    assert torch.equal(sam.state_dict()[name], axis_frequencies(EMBED_DIM // 2))


def test_a_residual_block_with_zero_weights_is_the_identity():
    block = ResidualBlock(8, dilation=2)
    torch.nn.init.zeros_(block.layers[-1].weight)
    torch.nn.init.zeros_(block.layers[-1].bias)
    x = torch.randn(1, 8, 5, 5)
    assert torch.equal(block(x), x)


def test_another_seed_gives_other_weights(sam):
    torch.manual_seed(1)
    other = build_tiny_sam()
    name = "image_encoder.layers.0.weight"
    assert not torch.equal(sam.state_dict()[name], other.state_dict()[name])
