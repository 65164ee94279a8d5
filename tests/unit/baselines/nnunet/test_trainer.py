"""nnU-Net's trainer: its two losses, reproducible transforms, safe checkpoints."""

import copy
import dataclasses
import math
import pickle
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from nnunetv2.training.dataloading import nnunet_dataset

from samcarry.baselines.nnunet import training
from samcarry.baselines.nnunet.environment import Plan, set_environment
from samcarry.errors import DamagedError, InputError
from samcarry.storage.states import read_state, write_state
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


def test_the_default_loss_is_nnunets_own_dice_and_cross_entropy_of_each_class(planned, tmp_path):
    set_environment(planned[0], tmp_path, threads=1, workers=0)
    default = dataclasses.replace(SETTINGS, loss="default")
    trainer = training._trainer(planned[1], default, 0, "cpu")
    target = torch.rand(1, 4, 8, 8, generator=torch.manual_seed(0)) > 0.5
    logits = (target * 2.0 - 1) * 3
    scales = len(trainer._get_deep_supervision_scales())
    theirs = type(trainer).__mro__[1]._build_loss(trainer)
    assert trainer.loss([logits] * scales, [target] * scales) == pytest.approx(
        theirs([logits] * scales, [target] * scales).item()
    )
    probability = torch.sigmoid(logits)
    dice = 2 * (probability * target).sum((0, 2, 3)) / (probability + target).sum((0, 2, 3))
    expected = math.log1p(math.exp(-3)) - dice.mean().item()
    assert trainer.loss([logits] * scales, [target] * scales).item() == pytest.approx(expected, abs=1e-4)


def test_an_epoch_draws_the_same_random_numbers_in_every_run(trainer, monkeypatch):
    monkeypatch.setattr(type(trainer).__mro__[1], "on_train_epoch_start", lambda self: None)
    drawn = []
    for epoch in (3, 4, 3):
        trainer.current_epoch = epoch
        trainer.on_train_epoch_start()
        drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[2] != drawn[1]


def test_checkpoints_are_written_as_states(trainer, tmp_path, monkeypatch):
    written = []

    def save(self, stream):
        written.append([*tmp_path.glob("checkpoint_*")])
        torch.save({}, stream)

    monkeypatch.setattr(type(trainer).__mro__[1], "save_checkpoint", save)
    for kind in ("latest", "best"):
        trainer.save_checkpoint(str(tmp_path / f"checkpoint_{kind}.pth"))
    assert written == [[]]
    assert [path.name for path in tmp_path.glob("checkpoint_*")] == ["checkpoint_latest.pth"]
    assert torch.load(read_state(tmp_path / "checkpoint_latest.pth"), weights_only=True) == {}


def test_a_diverged_training_is_reported_in_one_line(trainer):
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(math.nan)
    with pytest.raises(InputError, match=r"diverged.*try another seed") as caught:
        trainer.on_train_end()
    assert "\n" not in str(caught.value)


class Bomb:
    """An object whose unpickling calls a function."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_a_checkpoint_that_holds_a_function_is_not_run(trainer, tmp_path):
    """Its digest is right, as one who changes a file on purpose would make it."""
    path, mark = tmp_path / "checkpoint_latest.pth", tmp_path / "ran"
    write_state(path, partial(torch.save, {"network_weights": {}, "init_args": Bomb(mark)}))
    with pytest.raises(DamagedError, match="not a checkpoint of nnU-Net"):
        trainer.load_checkpoint(str(path))
    assert not mark.exists()


def test_properties_that_hold_a_function_are_not_run(trainer, planned, tmp_path):
    folder, mark = tmp_path / "preprocessed", tmp_path / "ran"
    shutil.copytree(planned[0] / "preprocessed", folder)
    file = next(folder.rglob("case00000.pkl"))
    cases = nnunet_dataset.nnUNetDatasetBlosc2(str(file.parent))
    assert cases.load_case("case00000")[3].keys() == pickle.loads(file.read_bytes()).keys()
    file.write_bytes(pickle.dumps({"class_locations": Bomb(mark)}))
    with pytest.raises(DamagedError, match=r"properties of a case are damaged \(it names"):
        cases.load_case("case00000")
    assert not mark.exists()


@pytest.mark.parametrize("entry", ["network_class_name", "conv_op"])
def test_a_plan_that_names_another_function_is_refused(planned, entry):
    plans = copy.deepcopy(planned[1].plans)
    architecture = plans["configurations"]["2d"]["architecture"]
    (architecture if entry in architecture else architecture["arch_kwargs"])[entry] = "os.system"
    with pytest.raises(ValueError, match=r"names 'os\.system'"):
        Plan(plans, planned[1].dataset)
