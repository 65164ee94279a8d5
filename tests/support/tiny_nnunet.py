"""Tiny data, plans and trainings for tests of nnU-Net."""

import numpy as np
import torch

from samcarry.baselines.nnunet.planning import Planning, make_plan
from samcarry.baselines.nnunet.prediction import load_nnunet
from samcarry.baselines.nnunet.training import NnunetSettings, save_nnunet, train
from samcarry.networks.training_data import TrainingData

CLASSES = ("left", "right", "ring", "never")
SETTINGS = NnunetSettings(
    epochs=2, iterations_per_epoch=2, validation_iterations=1, mirroring=True, loss="bce"
)
SHORT = NnunetSettings(epochs=1, iterations_per_epoch=1, validation_iterations=1, mirroring=False, loss="bce")


def pictures(count, size=64):
    """Images with two bars that never overlap, a square over both, and a black upper half.

    The fourth class never occurs.
    """
    masks = np.zeros((count, len(CLASSES), size, size), bool)
    masks[:, 0, :, 4 : size // 2] = True
    masks[:, 1, :, size // 2 : size - 4] = True
    masks[:, 2, size // 4 : -size // 4, size // 4 : -size // 4] = True
    noise = np.random.default_rng(0).integers(0, 40, (count, size, size))
    images = noise + 60 * masks[:, 0] + 100 * masks[:, 1] + 50 * masks[:, 2]
    images[:, : size // 2] = 0
    return TrainingData(images.astype(np.uint8), masks)


def plan_of(folder, data, max_batch_size=2):
    """A plan for `data`, with the preprocessed data below `folder`."""
    names = [f"case {number}" for number in range(len(data.images))]
    return make_plan(data, names, CLASSES, Planning(8, max_batch_size), folder, threads=1)


def fit(planned, work, *, settings=SETTINGS, seed=0, fingerprint="ours"):
    """The weights of a training from `planned`, which is (folder, plan), with checkpoints in `work`."""
    return trained(planned, work, settings=settings, seed=seed, fingerprint=fingerprint).weights


def trained(planned, work, *, settings=SETTINGS, seed=0, fingerprint="ours"):
    """As `fit`, with the curve."""
    folder, plan = planned
    return train(
        plan,
        settings,
        folder,
        work,
        seed=seed,
        device="cpu",
        threads=1,
        workers=0,
        fingerprint=fingerprint,
    )


def assert_same(weights, others):
    """Check that weights are equal bit for bit."""
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def model(path, planned, weights, settings=SETTINGS):
    """The predictor and the metadata of a model file with the given weights."""
    save_nnunet(path, weights, planned[1], settings, {"made_by": {"rule": "train_nnunet"}})
    return load_nnunet(path, "cpu", 1)
