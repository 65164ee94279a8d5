"""The training loop: an interrupted training resumes exactly, and the schedule is the paper's."""

import csv
import dataclasses
import logging
import math
import random

import numpy as np
import pytest
import torch

from samcarry.errors import InputError
from samcarry.networks import supervised
from samcarry.networks.batches import generator_of
from samcarry.networks.training_loop import (
    Checkpoint,
    LoopSettings,
    Step,
    cosine_learning_rate,
    train_loop,
    write_curve,
)
from samcarry.storage.states import read_state, write_state
from support.tiny_training import SETTINGS, assert_same, dying_at, run

PAPER = dataclasses.replace(
    SETTINGS, iterations=1050, iterations_per_epoch=3, learning_rate=1e-3, final_learning_rate=1e-5
)


# ---- interrupt and resume -------------------------------------------------------------------


def kill_at(monkeypatch, iteration):
    """Interrupt the next training when it draws the batch of an iteration."""
    monkeypatch.setattr(supervised, "generator_of", dying_at(iteration))


def leave_checkpoint(folder, monkeypatch, iteration=3, fingerprint="ours", **changes):
    """Write the checkpoint of a training that is interrupted at an iteration."""
    with monkeypatch.context() as patch:
        kill_at(patch, iteration)
        with pytest.raises(KeyboardInterrupt):
            run(folder, fingerprint, checkpoint_seconds=0, **changes)
    assert (folder / "checkpoint.pt").exists()


def iterations_asked_for(monkeypatch):
    """A list to which the next training adds the iterations whose batches it draws."""
    asked = []

    def recording(seed, now):
        asked.append(now)
        return generator_of(seed, now)

    monkeypatch.setattr(supervised, "generator_of", recording)
    return asked


@pytest.mark.parametrize("per_epoch", [1, 2, 3])
def test_a_killed_and_resumed_training_equals_an_uninterrupted_one(tmp_path, monkeypatch, per_epoch):
    straight = run(tmp_path, iterations_per_epoch=per_epoch)
    leave_checkpoint(tmp_path, monkeypatch, iteration=3, iterations_per_epoch=per_epoch)
    assert_same(run(tmp_path, iterations_per_epoch=per_epoch), straight)


def test_two_kills_change_nothing_either(tmp_path, monkeypatch):
    straight = run(tmp_path)
    leave_checkpoint(tmp_path, monkeypatch, iteration=2)
    leave_checkpoint(tmp_path, monkeypatch, iteration=5)
    assert_same(run(tmp_path), straight)


def test_a_resumed_training_does_not_repeat_what_was_done(tmp_path, monkeypatch):
    leave_checkpoint(tmp_path, monkeypatch, iteration=3)
    asked = iterations_asked_for(monkeypatch)
    run(tmp_path)
    assert asked == [3, 4, 5]


def test_a_training_killed_within_an_epoch_resumes_at_its_start(tmp_path, monkeypatch):
    leave_checkpoint(tmp_path, monkeypatch, iteration=3, iterations_per_epoch=2)
    asked = iterations_asked_for(monkeypatch)
    run(tmp_path, iterations_per_epoch=2)
    assert asked == [2, 3, 4, 5]


def test_a_resumed_training_logs_where_it_resumes(tmp_path, monkeypatch, caplog):
    leave_checkpoint(tmp_path, monkeypatch, iteration=3)
    with caplog.at_level(logging.INFO):
        run(tmp_path)
    assert any("resuming at iteration 3" in message for message in caplog.messages)


def test_a_checkpoint_of_another_fingerprint_is_ignored(tmp_path, monkeypatch):
    straight = run(tmp_path)
    # Another seed, so that its weights would change the result.
    leave_checkpoint(tmp_path, monkeypatch, fingerprint="other data", seed=1)
    assert_same(run(tmp_path), straight)


@pytest.mark.parametrize("keep", [0, 10, 1000, -1])
def test_a_truncated_checkpoint_is_ignored(tmp_path, monkeypatch, keep):
    straight = run(tmp_path)
    leave_checkpoint(tmp_path, monkeypatch)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:keep])
    assert_same(run(tmp_path), straight)


def test_a_flipped_bit_of_a_checkpoint_is_noticed_and_the_training_starts_from_scratch(
    tmp_path, monkeypatch, caplog
):
    straight = run(tmp_path)
    leave_checkpoint(tmp_path, monkeypatch)
    path = tmp_path / "checkpoint.pt"
    content = path.read_bytes()
    chance = random.Random(0)
    for place in chance.sample(range(len(content)), 10):
        flipped = bytes([content[place] ^ 1 << chance.randrange(8)])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
        caplog.clear()
        assert_same(run(tmp_path), straight)
        assert "has changed since it was written): starting from scratch" in caplog.text


def test_a_checkpoint_that_the_system_cannot_read_is_not_taken_for_damaged(tmp_path):
    (tmp_path / "checkpoint.pt").mkdir()
    with pytest.raises(InputError, match=r"checkpoint\.pt: Is a directory"):
        run(tmp_path)


@pytest.mark.parametrize("lost", ["network", "optimiser", "curve", "iteration", "fingerprint"])
def test_a_checkpoint_that_lacks_a_part_leaves_no_trace_in_the_result(tmp_path, monkeypatch, lost):
    straight = run(tmp_path)
    leave_checkpoint(tmp_path, monkeypatch)
    state = torch.load(read_state(tmp_path / "checkpoint.pt"), weights_only=True)
    del state[lost]
    write_state(tmp_path / "checkpoint.pt", lambda stream: torch.save(state, stream))
    assert_same(run(tmp_path), straight)


def test_a_checkpoint_of_another_shape_leaves_no_trace_in_the_result(tmp_path, monkeypatch):
    straight = run(tmp_path)
    leave_checkpoint(tmp_path, monkeypatch)
    state = torch.load(read_state(tmp_path / "checkpoint.pt"), weights_only=True)
    state["network"]["head.bias"] = torch.zeros(9)
    write_state(tmp_path / "checkpoint.pt", lambda stream: torch.save(state, stream))
    assert_same(run(tmp_path), straight)


def test_a_pickle_under_the_name_of_a_checkpoint_is_not_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    evil = {"fingerprint": "ours", "network": Evil()}
    write_state(tmp_path / "checkpoint.pt", lambda stream: torch.save(evil, stream))
    run(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_no_checkpoint_is_written_before_its_time(tmp_path):
    run(tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_training_in_bfloat16_resumes_exactly(tmp_path, monkeypatch):
    whole = run(tmp_path / "whole", precision="bfloat16")
    with monkeypatch.context() as patch:
        patch.setattr(supervised, "generator_of", dying_at(4))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, precision="bfloat16", checkpoint_seconds=0)
    assert_same(run(tmp_path, precision="bfloat16"), whole)


# ---- curve and errors -----------------------------------------------------------------------


def test_the_curve_has_one_step_per_epoch_with_its_mean_loss(tmp_path):
    _, single = run(tmp_path, learning_rate=1e-3, final_learning_rate=1e-3)
    _, curve = run(tmp_path, learning_rate=1e-3, final_learning_rate=1e-3, iterations_per_epoch=4)
    losses = [step.loss for step in single]
    means = [np.mean(losses[:4]), np.mean(losses[4:])]
    assert [step.iteration for step in curve] == [4, 6]
    assert [step.loss for step in curve] == pytest.approx(means, rel=1e-5)


def test_the_curve_is_written_as_csv(tmp_path):
    write_curve(tmp_path / "curve.csv", [Step(3, 1e-3, 0.75), Step(6, 1e-5, 0.5)])
    content = (tmp_path / "curve.csv").read_bytes()
    assert b"\r" not in content
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == [
        {"iteration": 3, "learning_rate": 1e-3, "loss": 0.75},
        {"iteration": 6, "learning_rate": 1e-5, "loss": 0.5},
    ]


def test_a_loss_that_is_not_finite_is_reported_in_one_line(tmp_path):
    with pytest.raises(InputError) as caught:
        run(tmp_path, learning_rate=1e30)
    assert "\n" not in str(caught.value)
    assert "training.learning_rate" in str(caught.value)
    assert "iteration" in str(caught.value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_loss_is_not_finite_if_it_is_infinite_or_nan(tmp_path, value):
    network = torch.nn.Linear(1, 1)
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", 1e9, "ours")
    with pytest.raises(InputError, match=f"the loss is {value} at iteration 1: lower"):
        train_loop(lambda _: network.bias.sum() + value, {"network": network}, network, SETTINGS, checkpoint)


def test_settings_of_any_loop_name_a_remedy_for_a_loss_that_is_not_finite():
    fields = [field.name for field in dataclasses.fields(LoopSettings)]
    plain = LoopSettings(**{name: getattr(SETTINGS, name) for name in fields})
    assert plain.remedy == "lower the learning rate (0.01) in the config"
    assert SETTINGS.remedy == (
        "lower training.learning_rate (0.01) or training.max_positive_weight in the config"
    )


def test_a_loss_that_is_not_finite_is_never_saved(tmp_path):
    with pytest.raises(InputError):
        run(tmp_path, learning_rate=1e30, iterations_per_epoch=3, checkpoint_seconds=0)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_compilation_is_reported_in_one_line(tmp_path):
    from torch._inductor import config  # imported here: it takes a second

    torch.compiler.reset()
    # pytest's monkeypatch would delete the setting at its end, so that no later test could compile.
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(InputError, match=r"cannot be compiled on this machine .*training\.compile: false"),
    ):
        run(tmp_path, compile=True)


# ---- optimiser ------------------------------------------------------------------------------


def test_adam_updates_all_weights_together_and_as_one_by_one(tmp_path, monkeypatch):
    found, ways = run(tmp_path), []

    class OneByOne(torch.optim.Adam):
        def __init__(self, parameters, lr, foreach):
            ways.append(foreach)
            super().__init__(parameters, lr=lr, foreach=False)

    monkeypatch.setattr(torch.optim, "Adam", OneByOne)
    assert_same(run(tmp_path), found)
    assert ways == [True]


# ---- schedule -------------------------------------------------------------------------------


def test_another_error_of_a_compiled_training_is_not_taken_for_a_failed_compilation(tmp_path):
    network = torch.nn.Linear(1, 1)
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", 1e9, "ours")

    def fail(_):
        raise RuntimeError("out of memory")

    compiled = dataclasses.replace(SETTINGS, compile=True)
    with pytest.raises(RuntimeError, match="out of memory") as caught:
        train_loop(fail, {"network": network}, network, compiled, checkpoint)
    assert not isinstance(caught.value, InputError)


def test_the_cosine_is_its_closed_form_from_1e_3_to_1e_5():
    rates = [cosine_learning_rate(PAPER, epoch) for epoch in range(350)]
    closed = [1e-5 + (1e-3 - 1e-5) * math.cos(math.pi / 2 * epoch / 349) ** 2 for epoch in range(350)]
    assert rates == pytest.approx(closed, rel=1e-9)


def test_the_cosine_starts_and_ends_at_the_configured_rates():
    assert cosine_learning_rate(PAPER, 0) == pytest.approx(1e-3)
    assert cosine_learning_rate(PAPER, 349) == pytest.approx(1e-5)


def test_the_rate_is_constant_within_an_epoch(tmp_path):
    rates = []

    class Spy(torch.optim.Adam):
        def step(self, *args, **kwargs):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "Adam", Spy)
        run(tmp_path, iterations_per_epoch=2)
    assert rates == pytest.approx([1e-2, 1e-2, 5.05e-3, 5.05e-3, 1e-4, 1e-4])


def test_a_last_epoch_that_is_short_still_ends_at_the_final_rate(tmp_path):
    _, curve = run(tmp_path, iterations=7, iterations_per_epoch=3)
    assert curve[-1].learning_rate == pytest.approx(1e-4)


def test_a_single_epoch_is_allowed(tmp_path):
    _, curve = run(tmp_path, iterations=2, iterations_per_epoch=5)
    assert [(step.iteration, step.learning_rate) for step in curve] == [(2, pytest.approx(1e-2))]
