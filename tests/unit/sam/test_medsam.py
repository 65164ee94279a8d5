"""MedSAM's protocol: its own way with images, boxes only."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.sam.embedding import embed, embed_images
from samcarry.sam.inputs import stretch, to_medsam_input
from samcarry.sam.refinement import MEDSAM_PASSES, Passes, refine, refine_by_medsam, refine_case

SIZE = (96, 48)


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return (90 + 50 * np.sin(x / 5) * np.cos(y / 9)).astype(np.uint8)


@pytest.fixture(scope="module")
def embedding(sam, image):
    return next(embed_images("medsam", sam, [image]))


def prompts():
    drawn = np.zeros((3, *SIZE), dtype=bool)
    drawn[0, 10:40, 8:20] = True
    drawn[2, 30:70, 15:45] = True
    return extract_prompts(drawn)


def test_the_image_fills_the_square_whatever_its_proportions(sam):
    image = np.zeros(SIZE, dtype=np.uint8)
    image[48:, 24:] = 200  # the lower right quarter
    stretched = to_medsam_input(sam, [stretch(sam, image)])[0, 0]
    side = sam.image_encoder.img_size
    assert stretched.shape == (side, side)
    expected = torch.zeros(side, side)
    expected[side // 2 :, side // 2 :] = 1
    assert (stretched - expected).abs().mean() < 0.02


@pytest.mark.parametrize("offset", [0, 40])
def test_grey_values_go_from_0_to_1(sam, offset):
    image = (np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 100 + offset).astype(np.uint8)
    stretched = to_medsam_input(sam, [stretch(sam, image)])
    assert stretched.min() == 0
    assert stretched.max() == 1


def test_a_flat_image_is_no_division_by_zero(sam):
    assert (to_medsam_input(sam, [stretch(sam, np.full(SIZE, 77, dtype=np.uint8))]) == 0).all()


def test_masks_are_those_of_the_published_inference(sam, embedding):
    """Written as MedSAM's own script does it: box scaled to the square, one prompt at a time."""
    side = sam.image_encoder.img_size
    found = refine_by_medsam(sam, embedding, prompts(), SIZE)
    for index, prompt in enumerate(prompts()):
        if prompt is None:
            continue
        box = np.array(prompt.box) / np.array([SIZE[1], SIZE[0], SIZE[1], SIZE[0]]) * side
        sparse, dense = sam.prompt_encoder(
            points=None, boxes=torch.as_tensor(box, dtype=torch.float32)[None, None, :], masks=None
        )
        low, _ = sam.mask_decoder(
            image_embeddings=embedding.float()[None],
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        probability = F.interpolate(torch.sigmoid(low), size=SIZE, mode="bilinear", align_corners=False)
        expected = (probability.squeeze().numpy() > 0.5).astype(bool)
        assert 0.01 < expected.mean() < 0.99, "the weights draw nothing that could differ"
        assert (found.masks[index] != expected).mean() < 1e-3


def test_points_do_not_reach_it(sam, embedding):
    moved = [prompt and Prompt(prompt.box, (1.0, 1.0), ((2.0, 2.0),)) for prompt in prompts()]
    one, other = (refine_by_medsam(sam, embedding, asked, SIZE) for asked in (prompts(), moved))
    assert (one.masks == other.masks).all()


def test_an_absent_class_stays_empty(sam, embedding):
    found = refine_by_medsam(sam, embedding, prompts(), SIZE)
    assert not found.masks[1].any()
    assert np.isnan(found.quality).tolist() == [False, True, False]
    assert not refine_by_medsam(sam, embedding, [None, None], SIZE).masks.any()


def test_each_protocol_has_its_own_embedding_and_masks(sam, image, embedding):
    assert torch.equal(next(embed_images("sam", sam, [image])), embed(sam, image))
    assert not torch.equal(embed(sam, image), embedding)
    by_sam = refine_case("sam", sam, embedding, prompts(), SIZE, Passes("box", "pos+neg"))
    assert (by_sam.masks == refine(sam, embedding, prompts(), SIZE, "box", "pos+neg").masks).all()
    by_medsam = refine_case("medsam", sam, embedding, prompts(), SIZE, MEDSAM_PASSES)
    assert (by_medsam.masks == refine_by_medsam(sam, embedding, prompts(), SIZE).masks).all()


@pytest.mark.parametrize("passes", [Passes("pos", None), Passes("box", "pos+neg"), Passes("box+pos", None)])
def test_medsam_refuses_points_and_second_passes(sam, embedding, passes):
    with pytest.raises(ValueError, match="box in one pass"):
        refine_case("medsam", sam, embedding, prompts(), SIZE, passes)
