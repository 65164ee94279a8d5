"""Batches: random numbers, normalisation, and images and masks that are warped together."""

import dataclasses

import numpy as np
import pytest
import torch

from samcarry.networks import batches
from samcarry.networks.batches import augment, draw_affine, draw_batch, generator_of, inverse, warp
from samcarry.networks.training_data import TrainingData
from samcarry.networks.unet import normalise_images
from support.tiny_training import STATISTICS, pictures


def batch(seed, iteration, **changes):
    sizes = {"batch_size": 3, "affine_sigma": 0.03} | changes
    generator = generator_of(seed, iteration)
    drawn = draw_batch(pictures(), STATISTICS, sizes["batch_size"], generator, "cpu")
    return augment(drawn.images, drawn.masks, sizes["affine_sigma"], generator)


def test_a_batch_depends_only_on_seed_and_iteration():
    first = batch(3, 7)
    batch(3, 8)
    again = batch(3, 7)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


@pytest.mark.parametrize(("seed", "iteration"), [(3, 8), (4, 7), (7, 3)])
def test_another_seed_or_iteration_gives_another_batch(seed, iteration):
    assert not torch.equal(batch(3, 7)[0], batch(seed, iteration)[0])


def test_a_batch_may_be_larger_than_the_training_set():
    images, masks = batch(0, 0, batch_size=50, affine_sigma=0.0)
    assert images.shape == (50, 1, 16, 16)
    bars = {tuple(mask.flatten(1).any(1).tolist()) for mask in masks}
    assert bars == {(True, False), (False, True)}


def test_cases_are_drawn_evenly():
    _, masks = batch(0, 0, batch_size=2000, affine_sigma=0.0)
    share = masks[:, 0, :, 0].amax(1).mean().item()
    assert share == pytest.approx(0.5, abs=0.05)


def test_normalising_gives_mean_0_and_deviation_1():
    statistics = dataclasses.replace(STATISTICS, mean=100 / 255, std=50 / 255)
    images = torch.tensor([[[50, 100, 150]]], dtype=torch.uint8)
    assert normalise_images(images, statistics.mean, statistics.std).tolist() == [
        [[pytest.approx([-1, 0, 1], abs=1e-5)]]
    ]


SQUARES = torch.zeros(4, 1, 64, 48)
SQUARES[..., 20:44, 12:36] = 1.0


def moved(sigma, seed=0, images=SQUARES):
    return augment(images, SQUARES, sigma, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(16, 16), (13, 7), (384, 224)])
def test_an_augmentation_of_sigma_0_changes_nothing(size):
    images = torch.randn(2, 1, *size)
    masks = (torch.rand(2, 3, *size) > 0.5).float()
    same_images, same_masks = augment(images, masks, 0.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(same_images, images, atol=1e-3, rtol=0)
    assert torch.equal(same_masks, masks)


def test_masks_stay_binary():
    _, masks = moved(0.1)
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_image_and_mask_move_together():
    images, masks = moved(0.1)
    assert ((images > 0.5) != (masks > 0.5)).float().mean() < 0.005
    assert (masks != SQUARES).float().mean() > 0.02


def test_each_sample_moves_in_its_own_way():
    _, masks = moved(0.1)
    assert not torch.equal(masks[0], masks[1])


def test_all_classes_of_a_sample_move_in_the_same_way():
    masks = SQUARES.repeat(1, 2, 1, 1)
    _, masks = augment(SQUARES, masks, 0.1, torch.Generator().manual_seed(0))
    assert torch.equal(masks[:, 0], masks[:, 1])


def test_pixels_from_outside_have_no_class_and_mean_grey():
    everywhere = torch.ones(1, 1, 32, 32)
    images, masks = augment(everywhere, everywhere, 0.3, torch.Generator().manual_seed(1))
    assert masks.min() == 0
    assert images.min() == 0


def test_the_six_numbers_scatter_by_sigma(monkeypatch):
    thetas = []

    def grid_of(theta, size, align_corners):
        thetas.append(theta)
        return torch.zeros(len(theta), *size[2:], 2)

    monkeypatch.setattr(batches.F, "affine_grid", grid_of)
    many = torch.zeros(3000, 1, 2, 2)
    augment(many, many, 0.03, torch.Generator().manual_seed(0))
    scatter = thetas[0] - torch.eye(2, 3)
    assert scatter.std(0).flatten().tolist() == pytest.approx([0.03] * 6, rel=0.05)


def test_an_affine_map_is_undone_by_its_inverse():
    theta = draw_affine(4, 0.05, torch.Generator().manual_seed(0))
    back = warp(warp(SQUARES, theta), inverse(theta))
    assert (back - SQUARES).abs().mean() < 0.02
    assert (warp(SQUARES, theta) - SQUARES).abs().mean() > 0.03


def test_the_inverse_of_an_affine_map_is_exact():
    theta = draw_affine(4, 0.1, torch.Generator().manual_seed(0)).double()
    points = torch.randn(4, 3, 5, dtype=torch.double)
    points[:, 2] = 1
    moved_points = torch.cat([theta @ points, points[:, 2:]], dim=1)
    torch.testing.assert_close(inverse(theta) @ moved_points, points[:, :2])


def test_weights_follow_their_cases():
    data = TrainingData(
        pictures().images, pictures().masks, np.array([[0.1, 0.2], [0.3, 0.4]], dtype=np.float32)
    )
    drawn = draw_batch(data, STATISTICS, 20, generator_of(0, 0), "cpu")
    assert drawn.weights.shape == (20, 2, 1, 1)
    for place, weights in zip(drawn.indices, drawn.weights[:, :, 0, 0], strict=True):
        assert weights.tolist() == data.weights[place].tolist()
