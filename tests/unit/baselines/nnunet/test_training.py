"""Training of nnU-Net: interrupted trainings resume exactly, and faults are reported in one line."""

import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from samcarry.baselines.nnunet.environment import Plan
from samcarry.baselines.nnunet.training import write_curve
from samcarry.errors import InputError
from support.paths import SCRIPTS
from support.tiny_nnunet import SETTINGS, SHORT, assert_same, fit, trained


def kill_in_epoch(monkeypatch, epoch):
    """Interrupt the next training at the start of an epoch."""
    from samcarry.baselines.nnunet.trainer import NnunetTrainer

    start = NnunetTrainer.on_train_epoch_start

    def dying(self):
        if self.current_epoch == epoch:
            raise KeyboardInterrupt
        start(self)

    monkeypatch.setattr(NnunetTrainer, "on_train_epoch_start", dying)


def leave_checkpoint(planned, work, monkeypatch, fingerprint="ours"):
    with monkeypatch.context() as patch:
        kill_in_epoch(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            fit(planned, work, fingerprint=fingerprint)
    return next(work.rglob("checkpoint_latest.pth"))


def test_a_killed_and_resumed_training_equals_an_uninterrupted_one(
    planned, straight, tmp_path, monkeypatch, caplog
):
    leave_checkpoint(planned, tmp_path / "work", monkeypatch)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert_same(fit(planned, tmp_path / "work"), straight)
    assert any("resuming at epoch 1" in message for message in caplog.messages)
    assert not any(message.startswith("epoch 1 of 2") for message in caplog.messages)
    assert any(message.startswith("epoch 2 of 2, loss") for message in caplog.messages)


def test_the_curve_is_that_of_all_epochs_also_after_a_kill(planned, tmp_path, monkeypatch):
    leave_checkpoint(planned, tmp_path / "work", monkeypatch)
    resumed = trained(planned, tmp_path / "work").curve
    assert resumed == trained(planned, tmp_path / "whole").curve
    assert [iteration for iteration, _, _ in resumed] == [2, 4]
    assert resumed[0][1] > resumed[1][1] > 0


def test_the_default_loss_is_written_so_that_0_is_the_best(planned, tmp_path):
    default = dataclasses.replace(SETTINGS, loss="default")
    done = trained(planned, tmp_path / "work", settings=default)
    assert all(0 < loss < 5 for _, _, loss in done.curve)
    write_curve(tmp_path / "training.csv", done)
    assert (tmp_path / "training.csv").read_text().startswith("iteration,learning_rate,loss\n2,")


def test_a_training_killed_after_its_end_is_not_repeated(planned, straight, tmp_path, monkeypatch):
    fit(planned, tmp_path / "work")
    kill_in_epoch(monkeypatch, 0)
    assert_same(fit(planned, tmp_path / "work"), straight)


def test_a_checkpoint_of_another_fingerprint_is_ignored(planned, straight, tmp_path, monkeypatch, caplog):
    leave_checkpoint(planned, tmp_path / "work", monkeypatch, "other data")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert_same(fit(planned, tmp_path / "work"), straight)
    assert any("starting from scratch" in message for message in caplog.messages)
    assert any(message.startswith("epoch 1 of 2") for message in caplog.messages)


@pytest.mark.parametrize("damage", ["cut", "a flipped bit"])
def test_a_damaged_checkpoint_is_not_unpickled(planned, straight, tmp_path, monkeypatch, caplog, damage):
    checkpoint = leave_checkpoint(planned, tmp_path / "work", monkeypatch)
    content = bytearray(checkpoint.read_bytes())
    if damage == "cut":
        del content[1000:]
    else:
        content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)
    assert_same(fit(planned, tmp_path / "work"), straight)
    assert "has changed since it was written" in caplog.text


def test_another_seed_gives_another_network(planned, straight, tmp_path):
    weights = fit(planned, tmp_path / "work", settings=SHORT, seed=1)
    name = "encoder.stages.0.0.convs.0.conv.weight"
    assert not torch.equal(weights[name], straight[name])


@pytest.mark.parametrize("fault", ["deleted", "another plan"])
def test_missing_preprocessed_data_are_reported_in_one_line(planned, tmp_path, fault):
    folder, plan = planned
    if fault == "deleted":
        folder = tmp_path / "gone"
    else:
        plan = Plan(plan.plans, {**plan.dataset, "samcarry": {}})
    with pytest.raises(InputError, match=r"Delete the folder .* run the same command again") as caught:
        fit((folder, plan), tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_workers_die_with_a_training_that_is_killed(planned, tmp_path):
    folder, plan = planned
    (tmp_path / "plan.json").write_text(json.dumps(dataclasses.asdict(plan)))
    code = (
        "import json, sys; from pathlib import Path\n"
        "from samcarry.baselines.nnunet.environment import Plan\n"
        "from samcarry.baselines.nnunet.training import NnunetSettings, train\n"
        "plan = Plan(**json.loads(Path(sys.argv[1], 'plan.json').read_text()))\n"
        "settings = NnunetSettings(10000, 1, 1, True, 'bce')\n"
        "train(plan, settings, Path(sys.argv[2]), Path(sys.argv[1], 'work'),\n"
        "      seed=0, device='cpu', threads=1, workers=2, fingerprint='')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        wait_until(lambda: process.poll() is not None or [*tmp_path.rglob("checkpoint_latest.pth")])
        assert len(in_session(process.pid)) > 2
        process.kill()
        process.wait()
        wait_until(lambda: not in_session(process.pid), seconds=10)
    finally:
        for survivor in in_session(process.pid):
            os.kill(survivor, signal.SIGKILL)


def wait_until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def in_session(session):
    """Running processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended meanwhile
            continue
        if int(of) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found
