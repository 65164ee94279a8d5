"""Batches: random numbers, normalisation, and images and masks that are warped together."""

import dataclasses

import numpy as np
import pytest
import torch

from samcarry.networks.augmentation import augment
from samcarry.networks.batches import draw_batch, generator_of
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


def test_weights_follow_their_cases():
    data = TrainingData(
        pictures().images, pictures().masks, np.array([[0.1, 0.2], [0.3, 0.4]], dtype=np.float32)
    )
    drawn = draw_batch(data, STATISTICS, 20, generator_of(0, 0), "cpu")
    assert drawn.weights.shape == (20, 2, 1, 1)
    for place, weights in zip(drawn.indices, drawn.weights[:, :, 0, 0], strict=True):
        assert weights.tolist() == data.weights[place].tolist()
