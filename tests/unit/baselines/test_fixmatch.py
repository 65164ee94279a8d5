"""FixMatch: it learns from unlabelled images, and only confident predictions are targets."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from samcarry.baselines import fixmatch
from samcarry.baselines.fixmatch import FixMatchSettings, pseudo_loss, train_fixmatch
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint
from samcarry.networks.unet import UNet
from support.tiny_training import SETTINGS, STATISTICS, dying_at, pictures, states_equal


def run(folder, seconds=1e9, unlabelled=None, weight=1.0, **changes):
    torch.manual_seed(0)
    return train_fixmatch(
        pictures(),
        pictures(1) if unlabelled is None else unlabelled,
        STATISTICS,
        dataclasses.replace(SETTINGS, **changes),
        FixMatchSettings(confidence=0.8, weight=weight),
        start=UNet(2, SETTINGS.width, SETTINGS.depth),
        seed=0,
        device="cpu",
        checkpoint=Checkpoint(folder / "checkpoint.pt", seconds, "ours"),
    )


def test_it_learns(tmp_path):
    _, curve = run(tmp_path, iterations=60)
    assert curve[-1].loss < 0.7 * curve[0].loss


def test_in_bfloat16_the_loss_falls_as_in_float32(tmp_path):
    full, half = (run(tmp_path / name, precision=name)[1] for name in ("float32", "bfloat16"))
    assert half != full  # or it was float32 in disguise
    assert [step.loss for step in half] == pytest.approx([step.loss for step in full], rel=0.1)


def test_a_killed_and_resumed_training_equals_an_uninterrupted_one(tmp_path, monkeypatch):
    unbroken, _ = run(tmp_path / "unbroken")

    with monkeypatch.context() as patch:
        patch.setattr(fixmatch, "generator_of", dying_at(3))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, seconds=0)
    assert states_equal(run(tmp_path)[0], unbroken)


def test_the_masks_of_unlabelled_cases_are_not_used(tmp_path):
    data = pictures(1)
    one, _ = run(tmp_path / "one", unlabelled=data)
    other, _ = run(tmp_path / "other", unlabelled=TrainingData(data.images, ~data.masks))
    assert states_equal(one, other)


def test_unlabelled_images_have_an_effect(tmp_path):
    assert not states_equal(run(tmp_path / "a", weight=0.0)[0], run(tmp_path / "b", weight=50.0)[0])


def test_predictions_that_are_not_confident_do_not_count():
    logits = torch.tensor([[[[2.0, -1.0, 3.0, 0.5]]]])
    probability = torch.tensor([[[[0.99, 0.01, 0.6, 0.4]]]])
    expected = F.binary_cross_entropy_with_logits(
        logits[..., :2], torch.tensor([[[[1.0, 0.0]]]]), reduction="sum"
    )
    torch.testing.assert_close(pseudo_loss(logits, probability, 0.95), expected / 4)
    assert pseudo_loss(logits, torch.full_like(logits, 0.5), 0.95) == 0
