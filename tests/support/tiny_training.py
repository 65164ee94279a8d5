"""Tiny training data, settings and trainings for tests of networks and baselines."""

import dataclasses

import numpy as np
import torch

from samcarry.networks.batches import generator_of
from samcarry.networks.subset_statistics import SubsetStatistics
from samcarry.networks.supervised import train
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, TrainingSettings

SETTINGS = TrainingSettings(
    width=4,
    depth=2,
    iterations=6,
    iterations_per_epoch=1,
    batch_size=3,
    learning_rate=1e-2,
    final_learning_rate=1e-4,
    affine_sigma=0.03,
    precision="float32",
    compile=False,
)
STATISTICS = SubsetStatistics(("a", "b"), ("left", "top"), 0.3, 0.25, (3.0, 3.0))


def pictures(seed=0, size=16):
    """Two dark images, each with a bright bar as the object to segment."""
    masks = np.zeros((2, 2, size, size), dtype=bool)
    masks[0, 0, :, : size // 4] = True
    masks[1, 1, : size // 4, :] = True
    noise = np.random.default_rng(seed).integers(0, 40, (2, size, size))
    return TrainingData((noise + 200 * masks.any(axis=1)).astype(np.uint8), masks)


def run(folder, fingerprint="ours", seed=0, checkpoint_seconds=1e9, **changes):
    """The network and the curve of a supervised training, with its checkpoint in `folder`."""
    return train(
        pictures(),
        STATISTICS,
        dataclasses.replace(SETTINGS, **changes),
        seed=seed,
        device="cpu",
        checkpoint=Checkpoint(folder / "checkpoint.pt", checkpoint_seconds, fingerprint),
    )


def assert_same(one, other):
    """Check that networks and curves of two trainings are equal bit for bit."""
    (network, curve), (other_network, other_curve) = one, other
    assert curve == other_curve
    state, other_state = network.state_dict(), other_network.state_dict()
    assert all(torch.equal(state[name], other_state[name]) for name in state)


def states_equal(one, other):
    """Whether the parameters of two networks are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def dying_at(iteration):
    """A replacement for `generator_of` that interrupts the training at an iteration."""

    def dying(seed, now):
        if now == iteration:
            raise KeyboardInterrupt
        return generator_of(seed, now)

    return dying
