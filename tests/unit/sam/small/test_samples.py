"""Training samples: prompts and targets in one frame, crops as stated, the same batches again."""

import dataclasses

import numpy as np
import pytest
import torch

from samcarry.sam.crops import Window, whole
from samcarry.sam.inputs import to_sam_input
from samcarry.sam.small.model import build_small_sam
from samcarry.sam.small.objects import Picture
from samcarry.sam.small.samples import (
    NEGATIVES,
    CropBatches,
    Mixture,
    collate,
    draw_crop,
    draw_scene_picture,
    draw_size,
    draw_window,
    draw_xray_picture,
    flipped,
    normalised,
)

MIXTURE = Mixture(side=96, crops=2, others=2)


def rng(seed=0):
    return np.random.default_rng(seed)


def picture(complete=True):
    """A bright square of 30 on a dark image, with another one beside it."""
    masks = np.zeros((2, 120, 160), dtype=bool)
    masks[0, 40:70, 50:80] = True
    masks[1, 40:70, 82:112] = True
    image = np.where(masks.any(axis=0), 200, 20).astype(np.uint8)
    return Picture(image, masks, masks[:0], complete, masks.any(axis=0))


def crops(count=30, **others):
    found = [
        draw_crop(rng(seed), picture(**others), 0, dataclasses.replace(MIXTURE, nothing_share=1.0))
        for seed in range(count)
    ]
    return [crop for crop in found if crop is not None]


def test_image_and_targets_show_the_same_place():
    alone = picture()
    alone = dataclasses.replace(
        alone, image=np.where(alone.masks[0], 200, 20).astype(np.uint8), masks=alone.masks[:1]
    )
    for seed in range(30):
        batch = collate([draw_crop(rng(seed), alone, 0, MIXTURE)], 96)
        bright = torch.nn.functional.avg_pool2d((batch.images > 110).float()[:, None], 3)[0, 0] > 0.5
        drawn = batch.targets[0] > 0.5
        assert (bright & drawn).sum() / (bright | drawn).sum() > 0.9


def test_the_object_is_seen_at_a_share_of_the_crop_that_fits_its_zoom():
    never_whole = dataclasses.replace(MIXTURE, whole_share=0.0)
    sides = []
    for seed in range(300):
        window = draw_window(rng(seed), (50, 40, 80, 70), (1000, 1000), never_whole.whole_share)
        sides.append(max(window.size) / 30)
    assert 1.1 < min(sides) < 1.8
    assert 5 < max(sides) < 8.5
    assert 2.3 < np.median(sides) < 3.6


def test_now_and_then_the_whole_image_is_shown():
    windows = [draw_window(rng(seed), (50, 40, 80, 70), (300, 400), 0.1) for seed in range(300)]
    assert 10 < sum(window == whole((300, 400)) for window in windows) < 60


def test_a_stretched_crop_still_fills_the_input_with_its_longer_side():
    sizes = [draw_size(rng(seed), Window(0, 0, 50, 50), 96) for seed in range(60)]
    assert all(max(size) == 96 for size in sizes)
    assert 5 < sum(size != (96, 96) for size in sizes) < 35


def test_prompts_lie_in_the_frame_of_the_input():
    for crop in crops():
        batch = collate([crop], 96)
        count = len(batch.owner)
        assert batch.boxes.shape == (count, 4)
        assert batch.points.shape == (count, 1 + NEGATIVES, 2)
        assert batch.priors.shape == batch.targets.shape == (count, 32, 32)
        assert batch.points.min() >= 0
        assert batch.points.max() <= 96
        assert (batch.boxes[:, :2] < batch.boxes[:, 2:]).all()


def test_negative_points_are_outside_of_what_is_asked_for():
    for crop in crops():
        batch = collate([crop], 96)
        for target, points in zip(batch.targets, batch.points, strict=True):
            x, y = (points[1:] / 3).long().clamp(0, 31).unbind(1)
            assert (target[y, x] <= 0.5).all()


def test_a_prompt_for_nothing_has_an_empty_target_and_only_known_images_have_one():
    batches = [collate([crop], 96) for crop in crops()]
    absent = torch.cat([batch.targets[~batch.present] for batch in batches])
    there = torch.cat([batch.targets[batch.present] for batch in batches])
    assert len(absent) > 5
    assert absent.sum() == 0
    assert there.sum((1, 2)).min() > 0
    assert all(all(crop.present) for crop in crops(complete=False))


def test_normalised_images_are_those_of_sams_own_preprocessing():
    sam = build_small_sam(96)
    image = rng().integers(0, 256, (60, 96), dtype=np.uint8)
    padded = np.zeros((1, 96, 96), np.uint8)
    padded[0, :60] = image
    ours = normalised(sam, torch.from_numpy(padded), torch.tensor([[60, 96]]))
    torch.testing.assert_close(ours, to_sam_input(sam, [image]))


@pytest.mark.parametrize("draw", [draw_xray_picture, draw_scene_picture])
def test_drawn_pictures_have_objects(draw):
    drawn = draw(rng())
    assert len(drawn.masks) >= 1
    assert drawn.image.shape == drawn.occupied.shape == drawn.masks.shape[1:]


def test_a_flipped_picture_keeps_its_objects_on_its_image():
    for seed in range(8):
        found = flipped(rng(seed), picture())
        np.testing.assert_array_equal(found.image > 110, found.masks.any(axis=0))


def same(one, other):
    return all(torch.equal(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))


def test_a_step_sees_the_same_batch_after_a_restart():
    assert same(CropBatches(MIXTURE, {}, 0, 9)[5], CropBatches(MIXTURE, {}, 3, 9)[2])
    assert not same(CropBatches(MIXTURE, {}, 0, 9)[5], CropBatches(MIXTURE, {}, 0, 9)[6])


def test_a_restarted_run_has_the_steps_that_are_left():
    assert len(CropBatches(MIXTURE, {}, 4, 10)) == 6
    assert len(CropBatches(MIXTURE, {}, 12, 10)) == 0


def test_every_prompt_asks_about_one_of_the_crops():
    batch = CropBatches(MIXTURE, {}, 0, 9)[0]
    assert batch.images.shape == (2, 96, 96)
    assert batch.owner.unique().tolist() == [0, 1]
    assert len(batch.owner) == len(batch.present) == len(batch.boxes)
