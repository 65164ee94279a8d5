"""Models of transformers through our code: the same answers as from their own processor and model."""

import numpy as np
import pytest
import torch

from samcarry.prompting.prompts import extract_prompts
from samcarry.sam.answers import THREE_MASKS
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import embed
from samcarry.sam.encoder import embedding_shape, encode_images
from samcarry.sam.inputs import fill_square, to_sam_input
from samcarry.sam.refinement import decode_prompts, full_size, refine
from samcarry.sam.zoom import ZoomSettings, refine_on_crops, view_of
from support.hub_models import KINDS, reference, use_small_architectures, write_folder
from support.sam_predictor import SIZE, five_masks

PROMPTS = extract_prompts(five_masks())
PRESENT = [prompt for prompt in PROMPTS if prompt is not None]
MIXED = ["box", "pos", "pos+neg", "box+pos", "box+pos+neg"]


@pytest.fixture(scope="module", params=KINDS)
def pair(request, tmp_path_factory):
    """A model of transformers, and ours, which was loaded from its folder."""
    theirs = reference(request.param)
    file = write_folder(tmp_path_factory.mktemp("model"), theirs)
    with pytest.MonkeyPatch.context() as patch:
        use_small_architectures(patch)
        yield theirs, load_sam(request.param, file)


@pytest.fixture(scope="module")
def exact(pair, image):
    """The embedding of their processor's image by our encoder, in single precision."""
    theirs, ours = pair
    with torch.no_grad():
        return encode_images(ours.image_encoder, theirs.inputs(image, PRESENT[0], "box")["pixel_values"])[0]


def test_the_image_is_prepared_as_by_their_processor(pair, image):
    theirs, ours = pair
    expected = theirs.inputs(image, PRESENT[0], "box")["pixel_values"]
    found = to_sam_input(ours, [fill_square(ours, image)])
    one_level = 1.01 / ours.pixel_std.min()
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= one_level
    assert (found - expected).abs().mean() < 0.1 * one_level


def test_an_embedding_has_the_shape_that_is_stated(pair, exact):
    assert embedding_shape(pair[1]) == tuple(exact.shape)


@pytest.mark.parametrize("kind", MIXED)
def test_all_prompts_at_once_equal_theirs_prompt_by_prompt(pair, image, exact, kind):
    theirs, ours = pair
    logits, quality = decode_prompts(ours, exact, PRESENT, kind, SIZE)
    masks = full_size(ours, logits, SIZE)
    for k, prompt in enumerate(PRESENT):
        expected, estimate, at_full_size = theirs.ask(image, prompt, kind)
        torch.testing.assert_close(logits[k], expected[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(quality[k], estimate[0], atol=1e-4, rtol=1e-4)
        assert (masks[k] != at_full_size[0].numpy()).mean() < 1e-3


@pytest.mark.parametrize("kind", [*MIXED, "mask"])
def test_the_second_pass_equals_theirs_with_the_first_mask(pair, image, exact, kind):
    theirs, ours = pair
    first, _ = decode_prompts(ours, exact, PRESENT, "box", SIZE)
    logits, quality = decode_prompts(ours, exact, PRESENT, kind, SIZE, first)
    for k, prompt in enumerate(PRESENT):
        expected, estimate, _ = theirs.ask(image, prompt, kind, first[k][None, None])
        torch.testing.assert_close(logits[k], expected[0], atol=2e-4, rtol=1e-4)
        torch.testing.assert_close(quality[k], estimate[0], atol=1e-4, rtol=1e-4)


def test_the_answers_depend_on_the_prompt_and_on_the_mask(pair, exact):
    _, ours = pair
    first, _ = decode_prompts(ours, exact, PRESENT, "box", SIZE)
    one, _ = decode_prompts(ours, exact, PRESENT, "pos", SIZE, first)
    other, _ = decode_prompts(ours, exact, PRESENT, "pos", SIZE, -first)
    assert (first[0] - first[1]).abs().max() > 1e-3
    assert (one - other).abs().max() > 1e-3


def test_the_whole_way_differs_from_theirs_by_rounding_only(pair, image):
    theirs, ours = pair
    found = refine(ours, embed(ours, image), PROMPTS, SIZE, "box", None)
    for k, prompt in enumerate(PROMPTS):
        if prompt is not None:
            _, estimate, mask = theirs.ask(image, prompt, "box")
            assert (found.masks[k] != mask[0].numpy()).mean() < 0.02
            assert found.quality[k] == pytest.approx(float(estimate[0]), abs=0.02)


def settings(zoom, multimask):
    return ZoomSettings("box", None, zoom, "none", 1.0, multimask, 1)


def nothing_known():
    return np.zeros((len(PROMPTS), *SIZE), np.uint8)


def test_the_best_of_three_masks_is_theirs(pair, image):
    theirs, ours = pair
    found = refine_on_crops(ours, image, PROMPTS, nothing_known(), settings(None, True))
    for k, prompt in enumerate(PROMPTS):
        if prompt is not None:
            _, estimates, masks = theirs.ask(image, prompt, "box", multimask=True)
            assert len(estimates) == len(THREE_MASKS)
            best = int(estimates.argmax())
            assert found.quality[k] == pytest.approx(float(estimates[best]), abs=0.02)
            assert (found.masks[k] != masks[best].numpy()).mean() < 0.03


def test_a_crop_is_asked_for_like_an_image_of_its_own(pair, image):
    theirs, ours = pair
    prompt = PRESENT[1]
    alone = [prompt if each is prompt else None for each in PROMPTS]
    found = refine_on_crops(ours, image, alone, nothing_known(), settings(1.5, False))
    window = view_of(prompt.box, 1.5, SIZE, SIZE, ours.image_encoder.img_size).window
    x0, y0, x1, y1 = prompt.box
    shift = np.array([window.left, window.top] * 2)
    moved = type(prompt)(tuple(np.array([x0, y0, x1, y1]) - shift), prompt.positive, ())
    _, _, mask = theirs.ask(np.ascontiguousarray(image[window.view]), moved, "box")
    assert window.size != SIZE
    assert (found.masks[PROMPTS.index(prompt)][window.view] != mask[0].numpy()).mean() < 0.03
