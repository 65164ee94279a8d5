"""nnU-Net's trainer: binary cross-entropy only, reproducible transforms, safe checkpoints."""

import math

import pytest
import torch

from samcarry.baselines.nnunet import training
from samcarry.baselines.nnunet.environment import set_environment
from samcarry.errors import InputError
from support.tiny_nnunet import SETTINGS


@pytest.fixture
def trainer(planned, tmp_path):
    """A trainer that has not started yet."""
    set_environment(planned[0], tmp_path, threads=1, workers=0)
    return training._trainer(planned[1], SETTINGS, 0, "cpu")


def test_the_loss_is_binary_cross_entropy_only(trainer):
    target = torch.rand(1, 4, 8, 8, generator=torch.manual_seed(0)) > 0.5
    scales = len(trainer._get_deep_supervision_scales())
    assert trainer.loss([torch.zeros(1, 4, 8, 8)] * scales, [target] * scales) == pytest.approx(math.log(2))
    sure = [(target * 2.0 - 1) * 3] * scales
    assert trainer.loss(sure, [target] * scales) == pytest.approx(math.log1p(math.exp(-3)), rel=1e-5)


def test_an_epoch_draws_the_same_random_numbers_in_every_run(trainer, monkeypatch):
    monkeypatch.setattr(type(trainer).__mro__[1], "on_train_epoch_start", lambda self: None)
    drawn = []
    for epoch in (3, 4, 3):
        trainer.current_epoch = epoch
        trainer.on_train_epoch_start()
        drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[2] != drawn[1]


def test_checkpoints_are_written_under_a_temporary_name_first(trainer, tmp_path, monkeypatch):
    written = []

    def save(self, filename):
        written.append(filename)
        torch.save({}, filename)

    monkeypatch.setattr(type(trainer).__mro__[1], "save_checkpoint", save)
    for kind in ("latest", "best"):
        trainer.save_checkpoint(str(tmp_path / f"checkpoint_{kind}.pth"))
    assert written == [str(tmp_path / "checkpoint_latest.pth.tmp")]
    assert [path.name for path in tmp_path.glob("checkpoint_*")] == ["checkpoint_latest.pth"]


def test_a_diverged_training_is_reported_in_one_line(trainer):
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(math.nan)
    with pytest.raises(InputError, match=r"diverged.*try another seed") as caught:
        trainer.on_train_end()
    assert "\n" not in str(caught.value)
