"""Refinement: the masks of segment-anything's own predictor, and MedSAM's protocol."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from segment_anything import SamPredictor

from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.sam.embedding import embed, embed_images
from samcarry.sam.refinement import (
    MEDSAM_PASSES,
    Passes,
    decode_prompts,
    full_size,
    prompt_parts,
    refine,
    refine_by_medsam,
    refine_case,
)
from support.sam_predictor import SIZE, ask, five_masks


@pytest.fixture(scope="module")
def predictor(sam, image, embedding):
    """segment-anything's own predictor on the same embedding."""
    predictor = SamPredictor(sam)
    predictor.set_image(np.repeat(image[..., None], 3, axis=2))
    predictor.features = embedding.float()[None]
    return predictor


PROMPTS = extract_prompts(five_masks())
PRESENT = [prompt for prompt in PROMPTS if prompt is not None]


# ---- the same results as segment-anything's predictor ---------------------------------------


@pytest.mark.parametrize("kind", ["box", "pos", "pos+neg", "box+pos", "box+pos+neg"])
def test_all_prompts_at_once_equal_the_predictor_prompt_by_prompt(sam, embedding, predictor, kind):
    logits, quality = decode_prompts(sam, embedding, PRESENT, kind, SIZE)
    for k, prompt in enumerate(PRESENT):
        _, expected_quality, expected = ask(predictor, prompt, kind)
        np.testing.assert_allclose(logits[k], expected, atol=2e-5)
        assert quality[k] == pytest.approx(expected_quality, abs=1e-5)


@pytest.mark.parametrize("kind", ["box", "pos", "pos+neg", "box+pos+neg", "mask"])
def test_the_second_pass_equals_the_predictor_with_the_first_mask(sam, embedding, predictor, kind):
    first, _ = decode_prompts(sam, embedding, PRESENT, "box", SIZE)
    logits, quality = decode_prompts(sam, embedding, PRESENT, kind, SIZE, first)
    for k, prompt in enumerate(PRESENT):
        mask_input = first[k : k + 1].numpy()
        _, expected_quality, expected = ask(predictor, prompt, kind, mask_input)
        np.testing.assert_allclose(logits[k], expected, atol=1e-4)
        assert quality[k] == pytest.approx(expected_quality, abs=1e-5)


def test_masks_at_full_size_equal_the_predictors(sam, embedding, predictor):
    logits, _ = decode_prompts(sam, embedding, PRESENT, "box", SIZE)
    found = full_size(sam, logits, SIZE)
    expected = np.stack([ask(predictor, prompt, "box")[0] for prompt in PRESENT])
    assert found.shape == (4, *SIZE)
    assert 0.01 < expected.mean() < 0.99, "the weights draw nothing that could differ"
    assert (found != expected).mean() < 1e-3


def test_refine_equals_the_predictor_in_two_passes(sam, embedding, predictor):
    found = refine(sam, embedding, PROMPTS, SIZE, "box", "pos+neg")
    for index, prompt in enumerate(PROMPTS):
        if prompt is not None:
            _, _, first = ask(predictor, prompt, "box")
            mask, quality, _ = ask(predictor, prompt, "pos+neg", first[None])
            assert (found.masks[index] != mask).mean() < 1e-3
            assert found.quality[index] == pytest.approx(quality, abs=1e-4)


def test_the_result_depends_on_the_prompt(sam, embedding):
    logits, _ = decode_prompts(sam, embedding, PRESENT, "box", SIZE)
    assert (logits[0] - logits[1]).abs().max() > 1e-2


def test_the_second_pass_depends_on_the_first_mask(sam, embedding):
    first, _ = decode_prompts(sam, embedding, PRESENT, "box", SIZE)
    one, _ = decode_prompts(sam, embedding, PRESENT, "pos", SIZE, first)
    other, _ = decode_prompts(sam, embedding, PRESENT, "pos", SIZE, -first)
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("chunk", [1, 3])
def test_the_number_of_prompts_per_call_does_not_matter(sam, embedding, chunk):
    first, _ = decode_prompts(sam, embedding, PRESENT, "box", SIZE)
    whole, quality = decode_prompts(sam, embedding, PRESENT, "pos+neg", SIZE, first)
    parts, part_quality = decode_prompts(sam, embedding, PRESENT, "pos+neg", SIZE, first, chunk=chunk)
    torch.testing.assert_close(parts, whole, atol=1e-4, rtol=0)
    torch.testing.assert_close(part_quality, quality, atol=1e-5, rtol=0)


def test_points_and_boxes_scale_with_the_image(sam, embedding):
    double = [
        Prompt(
            tuple(2 * side for side in prompt.box),
            tuple(2 * side for side in prompt.positive),
            tuple((2 * x, 2 * y) for x, y in prompt.negative),
        )
        for prompt in PRESENT
    ]
    small, _ = decode_prompts(sam, embedding, PRESENT, "box+pos+neg", SIZE)
    large, _ = decode_prompts(sam, embedding, double, "box+pos+neg", (2 * SIZE[0], 2 * SIZE[1]))
    torch.testing.assert_close(large, small, atol=1e-4, rtol=0)


# ---- refine: present, absent, passes --------------------------------------------------------


def test_an_absent_class_stays_empty_with_no_quality(sam, embedding):
    found = refine(sam, embedding, PROMPTS, SIZE)
    assert not found.masks[2].any()
    assert np.isnan(found.quality).tolist() == [False, False, True, False, False]


def test_an_absent_class_does_not_shift_the_others(sam, embedding):
    with_gap = refine(sam, embedding, PROMPTS, SIZE)
    without = refine(sam, embedding, PRESENT, SIZE)
    assert (with_gap.masks[[0, 1, 3, 4]] == without.masks).all()


def test_a_case_in_which_nothing_is_present_stays_empty(sam, embedding):
    found = refine(sam, embedding, [None, None], SIZE)
    assert found.masks.shape == (2, *SIZE)
    assert not found.masks.any()
    assert np.isnan(found.quality).all()


def test_a_single_present_class_without_negatives_is_refined(sam, embedding):
    (prompt,) = extract_prompts(five_masks()[:1])
    assert prompt.negative == ()
    found = refine(sam, embedding, [prompt, None], SIZE)
    assert not np.isnan(found.quality[0])


def test_no_second_pass_is_the_first_pass(sam, embedding):
    logits, quality = decode_prompts(sam, embedding, PRESENT, "pos", SIZE)
    found = refine(sam, embedding, PRESENT, SIZE, "pos", None)
    assert (found.masks == full_size(sam, logits, SIZE)).all()
    assert (found.quality == quality.numpy()).all()


def test_a_second_pass_with_only_the_mask(sam, embedding):
    first, _ = decode_prompts(sam, embedding, PRESENT, "box", SIZE)
    sparse, dense = sam.prompt_encoder(None, None, first[:, None])
    assert sparse.shape[1] == 0
    logits, _ = sam.mask_decoder(
        image_embeddings=embedding.float()[None],
        image_pe=sam.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    found = refine(sam, embedding, PRESENT, SIZE, "box", "mask")
    assert (found.masks == full_size(sam, logits[:, 0], SIZE)).all()


@pytest.mark.parametrize(
    ("kind", "parts"),
    [("box", {"box"}), ("pos+neg", {"pos", "neg"}), ("box+pos+neg", {"box", "pos", "neg"})],
)
def test_a_kind_of_prompt_has_its_parts(kind, parts):
    assert prompt_parts(kind) == parts


def test_the_kind_mask_has_neither_box_nor_points():
    assert not prompt_parts("mask") & {"box", "pos", "neg"}


# ---- MedSAM ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def medsam_embedding(sam, image):
    return next(embed_images("medsam", sam, [image]))


def three_prompts():
    drawn = np.zeros((3, *SIZE), dtype=bool)
    drawn[0, 10:40, 8:20] = True
    drawn[2, 30:70, 15:45] = True
    return extract_prompts(drawn)


def test_medsams_masks_are_those_of_the_published_inference(sam, medsam_embedding):
    """The reference is written as in MedSAM's script: box scaled to the square, one prompt at a time."""
    side = sam.image_encoder.img_size
    found = refine_by_medsam(sam, medsam_embedding, three_prompts(), SIZE)
    for index, prompt in enumerate(three_prompts()):
        if prompt is None:
            continue
        box = np.array(prompt.box) / np.array([SIZE[1], SIZE[0], SIZE[1], SIZE[0]]) * side
        sparse, dense = sam.prompt_encoder(
            points=None, boxes=torch.as_tensor(box, dtype=torch.float32)[None, None, :], masks=None
        )
        low, _ = sam.mask_decoder(
            image_embeddings=medsam_embedding.float()[None],
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        probability = F.interpolate(torch.sigmoid(low), size=SIZE, mode="bilinear", align_corners=False)
        expected = (probability.squeeze().numpy() > 0.5).astype(bool)
        assert 0.01 < expected.mean() < 0.99, "the weights draw nothing that could differ"
        assert (found.masks[index] != expected).mean() < 1e-3


def test_medsam_ignores_points(sam, medsam_embedding):
    moved = [prompt and Prompt(prompt.box, (1.0, 1.0), ((2.0, 2.0),)) for prompt in three_prompts()]
    one, other = (refine_by_medsam(sam, medsam_embedding, given, SIZE) for given in (three_prompts(), moved))
    assert (one.masks == other.masks).all()


def test_a_class_absent_for_medsam_stays_empty(sam, medsam_embedding):
    found = refine_by_medsam(sam, medsam_embedding, three_prompts(), SIZE)
    assert not found.masks[1].any()
    assert np.isnan(found.quality).tolist() == [False, True, False]
    assert not refine_by_medsam(sam, medsam_embedding, [None, None], SIZE).masks.any()


def test_each_protocol_has_its_own_embedding_and_masks(sam, image, medsam_embedding):
    assert torch.equal(next(embed_images("sam", sam, [image])), embed(sam, image))
    assert not torch.equal(embed(sam, image), medsam_embedding)
    by_sam = refine_case("sam", sam, medsam_embedding, three_prompts(), SIZE, Passes("box", "pos+neg"))
    assert (
        by_sam.masks == refine(sam, medsam_embedding, three_prompts(), SIZE, "box", "pos+neg").masks
    ).all()
    by_medsam = refine_case("medsam", sam, medsam_embedding, three_prompts(), SIZE, MEDSAM_PASSES)
    assert (by_medsam.masks == refine_by_medsam(sam, medsam_embedding, three_prompts(), SIZE).masks).all()


@pytest.mark.parametrize("passes", [Passes("pos", None), Passes("box", "pos+neg"), Passes("box+pos", None)])
def test_medsam_refuses_points_and_second_passes(sam, medsam_embedding, passes):
    with pytest.raises(ValueError, match="box in one pass"):
        refine_case("medsam", sam, medsam_embedding, three_prompts(), SIZE, passes)
