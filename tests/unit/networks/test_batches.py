"""Batches: random numbers, normalisation, and images and masks that are warped together."""

import dataclasses

import numpy as np
import pytest
import torch

from samcarry.networks.augmentation import augment
from samcarry.networks.batches import draw_batch, draw_images, draw_indices, generator_of
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


# ---- half a batch of the last cases ---------------------------------------------------------


@pytest.mark.parametrize(("batch_size", "of_last"), [(16, 8), (7, 3), (2, 1), (1, 0)])
@pytest.mark.parametrize("last", [1, 3])
def test_half_of_a_batch_is_of_the_last_cases(batch_size, of_last, last):
    for iteration in range(20):
        indices = draw_indices(40, last, batch_size, generator_of(0, iteration))
        assert len(indices) == batch_size
        assert (indices >= 40 - last).sum() == of_last
        assert 0 <= indices.min() <= indices.max() < 40


def test_each_half_of_a_batch_is_drawn_evenly():
    indices = draw_indices(10, 4, 4000, generator_of(0, 0))
    counts = np.bincount(indices, minlength=10)
    assert counts[:6] == pytest.approx(2000 / 6, rel=0.2)
    assert counts[6:] == pytest.approx(2000 / 4, rel=0.2)


def test_without_last_cases_all_are_drawn_as_ever():
    """Trainings without balanced batches must stay the same bit for bit."""
    generator, reference = generator_of(3, 7), generator_of(3, 7)
    indices = draw_indices(50, 0, 16, generator)
    assert indices.tolist() == torch.randint(50, (16,), generator=reference).tolist()
    assert torch.equal(torch.rand(4, generator=generator), torch.rand(4, generator=reference))


def test_balanced_batches_are_drawn_from_data_that_name_their_last_cases():
    data = dataclasses.replace(pictures(), last=1)
    balanced = draw_batch(data, STATISTICS, 6, generator_of(0, 0), "cpu")
    assert balanced.indices.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(balanced.masks, torch.from_numpy(data.masks[balanced.indices]).float())
    assert draw_images(data, STATISTICS, 6, generator_of(0, 0), "cpu").indices.tolist() == [0, 0, 0, 1, 1, 1]
