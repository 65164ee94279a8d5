"""Tiny data and trainings for tests of LR-ASPP."""

import dataclasses

import numpy as np

from samcarry.baselines.lraspp import train_lraspp
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint
from support import tiny_training
from support.tiny_training import STATISTICS

SETTINGS = dataclasses.replace(tiny_training.SETTINGS, iterations=4, batch_size=2)


def pictures(height=32, width=32):
    """Two dark images, each with a bright bar as the object to segment."""
    masks = np.zeros((2, 2, height, width), dtype=bool)
    masks[0, 0, :, : width // 4] = True
    masks[1, 1, : height // 4] = True
    noise = np.random.default_rng(0).integers(0, 40, (2, height, width))
    return TrainingData((noise + 200 * masks.any(axis=1)).astype(np.uint8), masks)


def run(sam, folder, data=None, seed=0, checkpoint_seconds=1e9, **changes):
    """The network and the curve of a training, with its checkpoint in `folder`."""
    return train_lraspp(
        data or pictures(),
        STATISTICS,
        dataclasses.replace(SETTINGS, **changes),
        sam,
        seed=seed,
        device="cpu",
        checkpoint=Checkpoint(folder / "checkpoint.pt", checkpoint_seconds, "ours"),
    )
