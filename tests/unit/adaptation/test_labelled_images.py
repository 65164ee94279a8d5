"""Labelled images: packing loses nothing, and batches show the objects and ask for them."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from samcarry.adaptation import labelled_images
from samcarry.adaptation.labelled_images import (
    LONGEST_SIDE,
    draw_batch,
    labelled_image,
    read_predicted,
    vary_exposure,
)
from samcarry.errors import InputError
from samcarry.sam.small import samples
from samcarry.sam.small.samples import Mixture
from samcarry.storage.stacks import Stack, write_stack
from support.toy_labels import labelled_toys, toy

MIXTURE = Mixture(side=96, crops=4, whole_share=0.0, nothing_share=0.2, cell=3)


def equal(one, other):
    return all(torch.equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))


# ---- packing --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(120, 90), (33, 47)])  # also where the last byte is not full
def test_images_and_masks_are_unpacked_as_they_were(size):
    image, masks = toy(1, size, objects=3)
    packed = labelled_image(image, masks)
    assert np.array_equal(packed.image, image)
    assert np.array_equal(packed.masks, masks)
    assert packed.bits.nbytes <= masks.nbytes / 8 + len(masks)


def test_empty_masks_are_left_out():
    image, masks = toy(1, objects=3)
    masks[1] = False
    assert np.array_equal(labelled_image(image, masks).masks, masks[[0, 2]])


@pytest.mark.parametrize("masks", [np.zeros((2, 120, 90), bool), np.zeros((0, 0, 0), bool)])
def test_an_image_may_have_no_object(masks):
    assert labelled_image(toy()[0], masks).masks.shape == (0, 120, 90)


@pytest.mark.parametrize("size", [(2100, 700), (700, 2100)])
def test_large_images_are_reduced_with_their_masks(size):
    image, masks = toy(2, size, objects=2)
    packed = labelled_image(image, masks)
    assert max(packed.image.shape) == LONGEST_SIDE
    assert min(packed.image.shape) == round(LONGEST_SIDE / 3)
    assert packed.masks.shape == (2, *packed.image.shape)
    for reduced, mask in zip(packed.masks, masks, strict=True):
        assert reduced.mean() == pytest.approx(mask.mean(), rel=0.02)
        assert packed.image[reduced].mean() == pytest.approx(image[mask].mean(), abs=3)


def test_a_large_image_without_objects_is_reduced_too():
    packed = labelled_image(toy(2, (2048, 512))[0], np.zeros((0, 0, 0), bool))
    assert packed.masks.shape == (0, 1024, 256)


# ---- batches --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images():
    return labelled_toys(3, objects=2)


def test_a_batch_depends_on_seed_and_step_only(images):
    first = draw_batch(3, 7, images, MIXTURE)
    draw_batch(3, 8, images, MIXTURE)
    # Another state of the global generators.
    np.random.seed(5)
    torch.manual_seed(5)
    assert equal(draw_batch(3, 7, images, MIXTURE), first)


@pytest.mark.parametrize(("seed", "step"), [(3, 8), (4, 7)])
def test_another_seed_or_step_gives_another_batch(images, seed, step):
    assert not torch.equal(
        draw_batch(seed, step, images, MIXTURE).images, draw_batch(3, 7, images, MIXTURE).images
    )


@pytest.mark.parametrize("step", range(4))
def test_targets_are_on_the_objects_that_the_crops_show(step):
    """Each image has one bright object, so what is bright in a crop is what was asked for."""
    batch = draw_batch(0, step, labelled_toys(3), MIXTURE)
    cells = torch.nn.functional.avg_pool2d(batch.images[:, None].float(), MIXTURE.cell)[:, 0]
    for target, present, owner in zip(batch.targets, batch.present, batch.owner, strict=True):
        if present:
            rows, columns = (-(-edge // MIXTURE.cell) for edge in batch.sizes[owner].tolist())
            crop, covered = cells[owner, :rows, :columns], target[:rows, :columns]
            ground = crop[covered == 0]
            assert crop[covered == 1].mean() > 2 * (ground.mean() if len(ground) else 0)
            assert target[rows:].sum() == target[:, columns:].sum() == 0


def test_prompts_point_at_their_targets(images):
    """Each of them is wrong in its own way, and most of them are nearly right."""
    in_box, in_prior = [], []
    for batch in (draw_batch(0, step, images, MIXTURE) for step in range(4)):
        boxes = batch.boxes / MIXTURE.cell
        for target, box, prior in zip(batch.targets, boxes, batch.priors, strict=True):
            if target.any():
                x0, y0, x1, y1 = (max(0, round(float(edge))) for edge in box)
                in_box.append(float(target[y0:y1, x0:x1].sum() / target.sum()))
                in_prior.append(float(target[prior > 0].sum() / target.sum()))
    assert np.mean(in_box) > 0.75
    assert np.mean(in_prior) > 0.6
    assert min(in_box) < 0.95


def test_a_crop_asks_for_the_other_objects_that_it_shows(images):
    batches = [draw_batch(0, step, images, MIXTURE) for step in range(4)]
    per_crop = torch.cat([batch.owner[batch.present].bincount(minlength=MIXTURE.crops) for batch in batches])
    assert set(per_crop.tolist()) == {1, 2}


def test_where_nothing_is_asked_for_the_target_is_empty(images):
    mixture = Mixture(side=96, crops=8, whole_share=0.0, nothing_share=1.0, cell=3)
    batch = draw_batch(0, 0, images, mixture)
    assert not batch.present.all()
    assert batch.targets[~batch.present].sum() == 0


def test_images_are_mirrored_with_their_masks():
    """An object at the left edge is drawn at both sides of crops."""
    mask = np.zeros((1, 60, 60), bool)
    mask[0, 20:40, :20] = True
    image = labelled_image(np.where(mask[0], 200, 40).astype(np.uint8), mask)
    batches = [draw_batch(0, step, [image], MIXTURE) for step in range(6)]
    at_the_left = torch.cat([batch.targets[batch.present][:, :, 0].sum(1) > 0 for batch in batches])
    assert at_the_left.any()
    assert not at_the_left.all()


@pytest.mark.parametrize("width", [0, 1])
def test_objects_that_are_too_thin_stop_the_tuning_and_do_not_hang_it(width, monkeypatch):
    monkeypatch.setattr(labelled_images, "MOST_TRIES", 20)
    mask = np.zeros((1, 500, 400), bool)
    mask[0, 10:490, 200 : 200 + width] = True
    image = labelled_image(np.full((500, 400), 80, np.uint8), mask)
    images = [image] if width else []
    with pytest.raises(InputError, match="no object that is large enough") as caught:
        draw_batch(0, 0, images, MIXTURE)
    assert "\n" not in str(caught.value)


# ---- exposure -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_another_exposure_keeps_shape_and_type_and_what_is_brighter(seed):
    image, masks = toy(seed)
    changed = vary_exposure(np.random.default_rng(seed), image[:, ::-1])
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, image[:, ::-1])
    mask = masks[0][:, ::-1]
    assert changed[mask].mean() > changed[~mask].mean() + 40


def test_exposures_differ():
    rng, image = np.random.default_rng(0), np.full((9, 9), 120, np.uint8)
    means = [vary_exposure(rng, image).mean() for _ in range(40)]
    assert np.std(means) > 8


@pytest.mark.parametrize("grey", [0, 255])
def test_black_and_white_do_not_wrap_around(grey):
    image = np.full((20, 20), grey, np.uint8)
    for seed in range(20):
        changed = vary_exposure(np.random.default_rng(seed), image)
        assert (changed < 100).all() if grey == 0 else (changed > 155).all()


# ---- masks of a network that did not learn from the image -----------------------------------------


def predicted(masks, by=(0, 0)):
    """P that finds the masks, moved by whole pixels (rows, columns), and is sure of it."""
    return np.roll(masks, by, axis=(1, 2)).astype(np.uint8) * 250


def test_masks_of_a_network_are_prompts(monkeypatch):
    image, masks = toy(1, objects=1)
    own = labelled_image(image, masks, predicted(masks))
    monkeypatch.setattr(samples, "PREDICTED_SHARE", 1.0)
    batch = draw_batch(0, 0, [own], MIXTURE)
    for prior, target, present in zip(batch.priors, batch.targets, batch.present, strict=True):
        if present:  # P is right, so the mask prompt is the object itself
            agreement = ((prior > 0) & (target > 0.5)).sum() / ((prior > 0) | (target > 0.5)).sum()
            assert agreement > 0.85
            assert set(prior.unique().tolist()) != {0.0}


def test_masks_that_miss_the_object_are_not_prompts(monkeypatch):
    """Nobody could know what is asked for."""
    image, masks = toy(1, objects=1)
    elsewhere = labelled_image(image, masks, predicted(masks, (60, 45)))
    monkeypatch.setattr(samples, "PREDICTED_SHARE", 1.0)
    monkeypatch.setattr(samples, "rough_mask", lambda rng, mask, others: mask)
    asked = draw_batch(0, 0, [elsewhere], MIXTURE)
    for prior, target, present in zip(asked.priors, asked.targets, asked.present, strict=True):
        if present:
            assert (prior[target > 0.9] > 0).float().mean() > 0.5


def test_classes_that_the_network_imagines_are_asked_for_as_missing():
    image, masks = toy(1, objects=2)
    probabilities = predicted(masks)
    present = masks.copy()
    present[1] = False
    packed = labelled_image(image, present, probabilities)
    assert np.array_equal(packed.imagined, masks[1:])
    assert packed.predicted.shape == (1, *masks.shape[1:])
    everywhere = Mixture(side=96, crops=8, whole_share=1.0, nothing_share=1.0, cell=3)
    batch = draw_batch(0, 0, [packed], everywhere)
    assert not batch.present.all()
    assert batch.targets[~batch.present].sum() == 0


def test_mirrored_images_have_mirrored_masks_of_the_network(monkeypatch):
    mask = np.zeros((1, 60, 60), bool)
    mask[0, 20:40, 5:25] = True
    image = labelled_image(np.where(mask[0], 200, 40).astype(np.uint8), mask, predicted(mask))
    monkeypatch.setattr(samples, "PREDICTED_SHARE", 1.0)
    for step in range(6):
        batch = draw_batch(0, step, [image], MIXTURE)
        for prior, target, present in zip(batch.priors, batch.targets, batch.present, strict=True):
            if present:
                assert (prior[target > 0.9] > 0).float().mean() > 0.9


def test_predicted_cases_are_read_from_their_stacks(tmp_path):
    values = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    for name, cases in (("one", ("a", "b")), ("two", ("c", "d"))):
        stack = Stack(values, "probability", cases, ("x", "y", "z"), {})
        write_stack(tmp_path / f"{name}.nii.gz", stack)
    paths = [tmp_path / "one.nii.gz", tmp_path / "two.nii.gz"]
    found = read_predicted(paths, [["b"], ["c", "d"]], ["z", "x", "y"])
    assert sorted(found) == ["b", "c", "d"]
    assert np.array_equal(found["b"], values[1, [2, 0, 1]])
    assert np.array_equal(found["c"], values[0, [2, 0, 1]])
