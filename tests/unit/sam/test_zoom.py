"""Refinement on crops: the whole image's answer where nothing is cut off, and each setting's part in it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from scipy import ndimage

from samcarry.prompting.cleaning import most_likely_components
from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.sam.answers import Answers
from samcarry.sam.crops import whole
from samcarry.sam.embedding import embed
from samcarry.sam.inputs import input_size
from samcarry.sam.refinement import decode_prompts, full_size, refine
from samcarry.sam.zoom import (
    NEAREST_NEGATIVES,
    ZoomSettings,
    as_probabilities,
    ask_for_logits,
    best_by_estimate,
    embed_views,
    initial_logits,
    jittered,
    mask_prompts,
    refine_on_crops,
    view_of,
)
from support.random_sams import small_sam, vit_sam
from support.sam_predictor import LARGE, SIZE, five_masks

PLAIN = ZoomSettings("box", "pos+neg", zoom=None, prior="none", fuse=1.0, multimask=False, prompts=1)


MASKS = five_masks()
PROMPTS = extract_prompts(MASKS)
PRESENT = [prompt for prompt in PROMPTS if prompt is not None]
P = (255 * np.clip(0.05 + 0.9 * MASKS, 0, 1)).astype(np.uint8)
P_PRESENT = P[MASKS.any(axis=(1, 2))]


@pytest.fixture(scope="module", params=[None, small_sam, vit_sam])
def embedded(request, sam, embedding, image):
    """A SAM and its embedding of the image; the tiny one's are shared with other tests."""
    made = sam if request.param is None else request.param()
    return made, embedding if request.param is None else embed(made, image)


def views_of(sam, prompts, zoom, image, network=SIZE):
    return [view_of(prompt.box, zoom, image, network, sam.image_encoder.img_size) for prompt in prompts]


def logits_of(sam, image, prompts, probabilities, settings):
    """Logits at full size and estimated IoU of present classes."""
    views = views_of(sam, prompts, settings.zoom, image.shape, probabilities.shape[1:])
    initial = torch.from_numpy(initial_logits(probabilities))
    return ask_for_logits(sam, embed_views(sam, image, views, "float32"), views, prompts, initial, settings)


def assert_same(one, other, ties=0):
    assert (one.masks != other.masks).sum() <= ties
    np.testing.assert_allclose(one.quality, other.quality, atol=1e-4)


# ---- the same as refinement on the whole image ----------------------------------------------


@pytest.mark.parametrize(("first", "second"), [("box", "pos+neg"), ("box+pos+neg", "mask"), ("pos", None)])
def test_without_zoom_the_answer_is_that_of_refine(embedded, image, first, second):
    made, embedding = embedded
    settings = replace(PLAIN, first=first, second=second)
    found = refine_on_crops(made, image, PROMPTS, P, settings, embedding=embedding)
    expected = refine(made, embedding, PROMPTS, SIZE, first, second)
    assert 0.01 < expected.masks.mean() < 0.99, "the weights draw nothing that could differ"
    assert_same(found, expected, ties=2)


@pytest.mark.parametrize("size", [SIZE, LARGE])
def test_without_zoom_the_logits_are_those_of_refine(embedded, size):
    made, embedding = embedded
    low, _ = decode_prompts(made, embedding, PRESENT, "box", size)
    low, _ = decode_prompts(made, embedding, PRESENT, "pos+neg", size, low)
    expected = made.postprocess_masks(low[:, None], input_size(made, *size), size)[:, 0]
    views = views_of(made, PRESENT, None, size, size)
    initial = torch.zeros(len(PRESENT), *size)
    found, _ = ask_for_logits(made, embedding.float()[None], views, PRESENT, initial, PLAIN)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)


def test_all_negative_points_are_used_on_the_whole_image(small, image):
    negative = tuple((float(x), float(y)) for x in range(3, 50, 12) for y in range(5, 95, 30))
    asked = [Prompt((10, 20, 30, 60), (20, 40), negative)]
    assert len(negative) > NEAREST_NEGATIVES
    found = refine_on_crops(small, image, asked, P[:1], PLAIN, embedding=embed(small, image))
    assert_same(found, refine(small, embed(small, image), asked, SIZE), ties=2)


@pytest.mark.parametrize("prior", ["none", "P"])
def test_a_crop_that_is_all_of_the_image_gives_the_whole_images_answer(any_sam, large, prior):
    of_whole = replace(PLAIN, first="box+pos+neg", prior=prior, fuse=0.7)
    on_crops = replace(of_whole, zoom=300.0)
    assert all(view.window == whole(LARGE) for view in views_of(any_sam, PRESENT, 300.0, LARGE))
    one, other = (refine_on_crops(any_sam, large, PROMPTS, P, how) for how in (of_whole, on_crops))
    assert_same(one, other, ties=2)


# ---- everything in its place ----------------------------------------------------------------


@pytest.mark.parametrize("by", [(1, 0), (4, 7)])
def test_an_answer_moves_with_the_image(any_sam, large, by):
    """Sides of 21 and 33 pixels: the middle of the first is half a pixel from that of its crop."""
    masks = np.zeros((2, *LARGE), dtype=bool)
    masks[0, 90:105, 60:81] = True
    masks[1, 100:133, 90:100] = True
    blurred = (255 * ndimage.gaussian_filter(masks.astype(float), (0, 2, 2))).astype(np.uint8)
    settings = replace(PLAIN, zoom=2.0, prior="P", fuse=0.6)
    fixed = refine_on_crops(any_sam, large, extract_prompts(masks), blurred, settings)
    moved_masks, moved_p = (np.roll(values, by[::-1], (1, 2)) for values in (masks, blurred))
    moved_image = np.roll(large, by[::-1], (0, 1))
    moved = refine_on_crops(any_sam, moved_image, extract_prompts(moved_masks), moved_p, settings)
    assert fixed.masks.any()
    assert (np.roll(fixed.masks, by[::-1], (1, 2)) != moved.masks).sum() <= 2
    np.testing.assert_allclose(moved.quality, fixed.quality, atol=1e-4)


# ---- which prompts a crop gets --------------------------------------------------------------


def spread_points(count):
    rng = np.random.default_rng(2)
    return tuple(map(tuple, rng.uniform([0, 0], SIZE[::-1], (count, 2)).tolist()))


def test_a_crop_gets_the_negative_points_inside_it_and_at_most_the_nearest(small):
    """Asking for all of many points is asking for those only, and points outside do not count."""
    box, positive = (10.0, 20.0, 24.0, 60.0), (17.0, 40.0)
    view = view_of(box, 1.5, LARGE, SIZE, 96)
    points = view.into_input(np.array(spread_points(60)))
    inside = ((points >= 0) & (points < [view.columns, view.rows])).all(axis=1)
    assert inside.sum() > NEAREST_NEGATIVES
    kept = np.flatnonzero(inside)
    distance = np.hypot(*(points[kept] - view.into_input(np.array(positive))).T)
    kept = kept[np.argsort(distance)][:NEAREST_NEGATIVES]
    nearest = tuple(spread_points(60)[index] for index in kept)
    outside = tuple(point for point, seen in zip(spread_points(60), inside, strict=True) if not seen)

    def ask(negative):
        settings = replace(PLAIN, zoom=1.5, first="pos+neg", second=None)
        asked = [Prompt(box, positive, negative)]
        return logits_of(small, np.zeros(LARGE, np.uint8), asked, P[:1], settings)[0]

    torch.testing.assert_close(ask(spread_points(60)), ask(nearest))
    torch.testing.assert_close(ask(outside), ask(()))
    assert not torch.allclose(ask(nearest[:-1]), ask(nearest), atol=1e-3)


@pytest.mark.parametrize("kind", ["pos+neg", "box+pos+neg", "box"])
def test_prompts_with_unequal_numbers_of_points_are_answered_as_each_by_itself(any_sam, large, kind):
    boxes = [(10.0, 20.0, 24.0, 40.0), (30.0, 50.0, 45.0, 70.0), (5.0, 70.0, 15.0, 90.0)]
    asked = [
        Prompt(box, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), spread_points(count))
        for box, count in zip(boxes, (30, 5, 0), strict=True)
    ]
    settings = replace(PLAIN, zoom=2.0, first=kind, second="pos+neg", prior="P")
    together, estimates = logits_of(any_sam, large, asked, P[:3], settings)
    for k, prompt in enumerate(asked):
        single, estimate = logits_of(any_sam, large, [prompt], P[k : k + 1], settings)
        torch.testing.assert_close(together[k], single[0], atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(estimates[k], estimate[0], atol=1e-4, rtol=1e-3)


def test_only_a_mask_prompt_needs_a_mask(small, image):
    by_mask = replace(PLAIN, zoom=2.0, first="mask", second=None)
    assert refine_on_crops(small, image, PROMPTS, P, replace(by_mask, prior="P")).masks.any()
    with pytest.raises(ValueError, match="mask"):
        refine_on_crops(small, image, PROMPTS, P, by_mask)


# ---- P, several boxes, several masks --------------------------------------------------------


def two_components():
    """P of two classes, each with a likely component and a larger, less likely one elsewhere."""
    p = np.full((2, *SIZE), 10, dtype=np.uint8)
    p[0, 20:40, 10:20], p[0, 60:90, 10:40] = 240, 180
    p[1, 60:75, 20:30], p[1, 10:40, 30:50] = 230, 170
    return p, most_likely_components(p)


@pytest.mark.parametrize("zoom", [None, 1.5])
def test_of_p_alone_the_most_likely_components_remain(small, image, zoom):
    p, components = two_components()
    found = refine_on_crops(small, image, extract_prompts(components), p, replace(PLAIN, zoom=zoom, fuse=0.0))
    assert (found.masks == components).all()
    assert np.isfinite(found.quality).all()


@pytest.mark.parametrize("fuse", [0.3, 0.7])
def test_p_is_averaged_with_sams_answer_and_its_other_components_never_return(small, image, fuse):
    p, components = two_components()
    prompts, settings = extract_prompts(components), replace(PLAIN, zoom=6.0, fuse=fuse)
    logits, _ = logits_of(small, image, prompts, p, settings)
    share = torch.from_numpy(p) / 255
    expected = fuse * logits + (1 - fuse) * (share / (1 - share)).log() > 0
    others = (p > 127) & ~components
    found = refine_on_crops(small, image, prompts, p, settings).masks
    assert (found == expected.numpy())[~others].all()
    assert expected.numpy()[others].any()
    assert not found[others].any()


def test_other_components_of_p_are_background_in_the_mask_prompt(small):
    p, components = two_components()
    views = views_of(small, extract_prompts(components), 4.0, SIZE)
    others = (p > 127) & ~components
    found, best, other = (
        mask_prompts(small, torch.from_numpy(values.astype(np.float32)), views)
        for values in (initial_logits(p), components, others)
    )
    assert (other == 1).any(), "the crops show nothing of the other components"
    assert (found[best == 1] > 0).all()
    assert (found[other == 1] < -3).all()


def test_p_is_a_mask_prompt_only_where_it_is_asked_for(small, image):
    settings = replace(PLAIN, zoom=2.0)
    other = np.roll(P_PRESENT, 5, axis=2)
    without, with_p = (
        [logits_of(small, image, PRESENT, p, replace(settings, prior=prior))[0] for p in (P_PRESENT, other)]
        for prior in ("none", "P")
    )
    assert torch.equal(*without)
    assert (with_p[0] - with_p[1]).abs().max() > 0.01


def test_a_second_round_asks_with_the_first_ones_answer_in_the_place_of_p(any_sam, large):
    settings = replace(PLAIN, zoom=2.0, prior="P", fuse=0.6)
    logits, estimate = logits_of(any_sam, large, PRESENT, P_PRESENT, settings)
    fused = 0.6 * logits.numpy() + 0.4 * initial_logits(P_PRESENT)
    answer = as_probabilities(fused)
    prompts = extract_prompts(most_likely_components(answer))
    expected = refine_on_crops(any_sam, large, prompts, answer, settings)
    found = refine_on_crops(any_sam, large, PRESENT, P_PRESENT, replace(settings, rounds=2))
    assert (found.masks == expected.masks).all()
    np.testing.assert_allclose(found.quality, expected.quality)
    assert np.abs(found.quality - estimate.numpy()).max() > 1e-3, "the second round changed nothing"


def test_three_boxes_give_the_mean_of_three_answers_each_time(any_sam, large):
    settings = replace(PLAIN, zoom=2.0, prompts=3, prior="P")
    views = views_of(any_sam, PRESENT, 2.0, LARGE)
    crops = embed_views(any_sam, large, views, "float32")
    initial = torch.from_numpy(initial_logits(P_PRESENT))

    def ask(prompts, how):
        return ask_for_logits(any_sam, crops, views, prompts, initial, how)

    logits, estimate = ask(PRESENT, settings)
    attempts = [[jittered(p, attempt, SIZE) for p in PRESENT] for attempt in range(3)]
    singles = [ask(prompts, replace(settings, prompts=1)) for prompts in attempts]
    torch.testing.assert_close(logits, torch.stack([each[0] for each in singles]).mean(dim=0))
    torch.testing.assert_close(estimate, torch.stack([each[1] for each in singles]).mean(dim=0))
    assert (singles[0][0] - singles[1][0]).abs().max() > 1e-3
    assert torch.equal(ask(PRESENT, settings)[0], logits)


def test_further_boxes_are_a_little_different_and_inside_the_image():
    for prompt in PRESENT:
        boxes = {jittered(prompt, attempt, SIZE).box for attempt in range(20)}
        assert len(boxes) == 20
        for x0, y0, x1, y1 in boxes:
            assert 0 <= x0 < x1 <= SIZE[1]
            assert 0 <= y0 < y1 <= SIZE[0]
        moved = np.array(sorted(boxes)) - prompt.box
        extent = np.array([prompt.box[2] - prompt.box[0], prompt.box[3] - prompt.box[1]] * 2)
        assert np.abs(moved / extent).max() < 0.5
    assert jittered(PRESENT[0], 0, SIZE) == PRESENT[0]


def test_the_best_of_three_masks_is_that_with_the_highest_estimate():
    logits = torch.arange(6.0).reshape(2, 3, 1, 1)
    found, quality = best_by_estimate(Answers(logits, torch.tensor([[0.2, 0.9, 0.1], [0.7, 0.1, 0.5]]), None))
    assert found.flatten().tolist() == [1, 3]
    assert quality.tolist() == pytest.approx([0.9, 0.7])


def test_with_several_masks_the_official_decoders_best_one_is_returned(any_sam, image):
    settings = replace(PLAIN, second=None, multimask=True)
    found = refine_on_crops(any_sam, image, PRESENT, P_PRESENT, settings)
    views = views_of(any_sam, PRESENT, None, SIZE)
    for k, (prompt, view) in enumerate(zip(PRESENT, views, strict=True)):
        box = torch.from_numpy(view.into_input(np.reshape(prompt.box, (2, 2)))).float().reshape(1, 4)
        sparse, dense = any_sam.prompt_encoder(None, box, None)
        low, estimates = any_sam.mask_decoder(
            image_embeddings=embed_views(any_sam, image, views[:1], "float32"),
            image_pe=any_sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
        best = int(estimates.argmax())
        assert found.quality[k] == pytest.approx(float(estimates[0, best]), abs=1e-4)
        assert (found.masks[k] != full_size(any_sam, low[:, best], SIZE)[0]).sum() <= 2


# ---- chunks, absent classes, borders --------------------------------------------------------


@pytest.mark.parametrize("zoom", [None, 2.0])
def test_the_number_of_prompts_per_call_does_not_matter(any_sam, large, zoom):
    settings = replace(PLAIN, zoom=zoom, prior="P", fuse=0.7, prompts=2)
    together = refine_on_crops(any_sam, large, PROMPTS, P, settings)
    for at_once in (1, 3):
        parts = refine_on_crops(any_sam, large, PROMPTS, P, settings, at_once=at_once)
        assert_same(parts, together, ties=2)


@pytest.mark.parametrize("zoom", [None, 2.0])
def test_absent_classes_stay_empty_and_do_not_shift_the_others(small, large, zoom):
    settings = replace(PLAIN, zoom=zoom, prior="P", fuse=0.5)
    found = refine_on_crops(small, large, PROMPTS, P, settings)
    assert not found.masks[2].any()
    assert np.isnan(found.quality).tolist() == [False, False, True, False, False]
    present = refine_on_crops(small, large, PRESENT, P_PRESENT, settings)
    assert (found.masks[[0, 1, 3, 4]] == present.masks).all()
    nothing = refine_on_crops(small, large, [None] * 5, P, settings)
    assert nothing.masks.shape == P.shape
    assert not nothing.masks.any()
    assert np.isnan(nothing.quality).all()


@pytest.mark.parametrize("zoom", [1.0, 3.0])
def test_one_pixel_at_any_border_is_asked_for(any_sam, large, zoom):
    masks = np.zeros((5, *SIZE), dtype=bool)
    for index, (row, column) in enumerate([(0, 0), (96, 52), (0, 52), (96, 0), (40, 20)]):
        masks[index, row, column] = True
    p = (masks * 200).astype(np.uint8)
    ask = partial(refine_on_crops, any_sam, large, extract_prompts(masks), p)
    assert np.isfinite(ask(replace(PLAIN, zoom=zoom, prompts=3)).quality).all()
    assert (ask(replace(PLAIN, zoom=zoom, fuse=0.0)).masks == masks).all()
