"""What the tests of trainings share: two pictures with a bar each, small settings, equal networks."""

import numpy as np
import torch

from samcarry.networks.batches import generator_of
from samcarry.networks.statistics import SubsetStatistics
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import TrainingSettings

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
    """Two dark pictures with a bright bar each, which is what is to be found."""
    masks = np.zeros((2, 2, size, size), dtype=bool)
    masks[0, 0, :, : size // 4] = True
    masks[1, 1, : size // 4, :] = True
    noise = np.random.default_rng(seed).integers(0, 40, (2, size, size))
    return TrainingData((noise + 200 * masks.any(axis=1)).astype(np.uint8), masks)


def states_equal(one, other):
    """Whether two networks are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def dying_at(iteration):
    """A `generator_of` that ends the training, as a kill does, where it asks for an iteration."""

    def dying(seed, now):
        if now == iteration:
            raise KeyboardInterrupt
        return generator_of(seed, now)

    return dying
