"""The training routine: a kill changes nothing, the schedule is the paper's, faults are told."""

import csv
import dataclasses
import logging
import math
import shutil

import numpy as np
import pytest
import torch

from samcarry.errors import InputError
from samcarry.networks import supervised
from samcarry.networks.batches import generator_of
from samcarry.networks.prediction import predict
from samcarry.networks.supervised import train
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, Step, cosine, write_curve
from samcarry.networks.unet import UNet, normalise
from support.tiny_training import SETTINGS, STATISTICS, dying_at, pictures

PAPER = dataclasses.replace(
    SETTINGS, iterations=1050, iterations_per_epoch=3, learning_rate=1e-3, final_learning_rate=1e-5
)


def run(folder, fingerprint="ours", seed=0, checkpoint_seconds=1e9, **changes):
    return train(
        pictures(),
        STATISTICS,
        dataclasses.replace(SETTINGS, **changes),
        seed=seed,
        device="cpu",
        checkpoint=Checkpoint(folder / "checkpoint.pt", checkpoint_seconds, fingerprint),
    )


def assert_same(one, other):
    """Networks and curves of two trainings are equal bit for bit."""
    (network, curve), (other_network, other_curve) = one, other
    assert curve == other_curve
    state, other_state = network.state_dict(), other_network.state_dict()
    assert all(torch.equal(state[name], other_state[name]) for name in state)


def kill_at(monkeypatch, iteration):
    """Make the next training die when it asks for the batch of an iteration."""
    monkeypatch.setattr(supervised, "generator_of", dying_at(iteration))


def leave_checkpoint(folder, monkeypatch, iteration=3, fingerprint="ours", **changes):
    """Leave the checkpoint of a training that was killed at an iteration."""
    with monkeypatch.context() as patch:
        kill_at(patch, iteration)
        with pytest.raises(KeyboardInterrupt):
            run(folder, fingerprint, checkpoint_seconds=0, **changes)
    assert (folder / "checkpoint.pt").exists()


def iterations_asked_for(monkeypatch):
    """A list that fills with the iterations whose batches the next training draws."""
    asked = []

    def recording(seed, now):
        asked.append(now)
        return generator_of(seed, now)

    monkeypatch.setattr(supervised, "generator_of", recording)
    return asked


# ---- kill and resume ------------------------------------------------------------------------


@pytest.mark.parametrize("per_epoch", [1, 2, 3])
def test_a_killed_and_resumed_training_is_the_one_that_was_never_killed(tmp_path, monkeypatch, per_epoch):
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


def test_a_kill_within_an_epoch_goes_on_from_its_start(tmp_path, monkeypatch):
    leave_checkpoint(tmp_path, monkeypatch, iteration=3, iterations_per_epoch=2)
    asked = iterations_asked_for(monkeypatch)
    run(tmp_path, iterations_per_epoch=2)
    assert asked == [2, 3, 4, 5]


def test_a_resumed_training_says_where_it_goes_on(tmp_path, monkeypatch, caplog):
    leave_checkpoint(tmp_path, monkeypatch, iteration=3)
    with caplog.at_level(logging.INFO):
        run(tmp_path)
    assert any("going on from iteration 3" in message for message in caplog.messages)


def test_a_checkpoint_of_another_fingerprint_is_ignored(tmp_path, monkeypatch):
    straight = run(tmp_path)
    leave_checkpoint(tmp_path, monkeypatch, fingerprint="other data")
    assert_same(run(tmp_path), straight)


@pytest.mark.parametrize("keep", [0, 10, 1000, -1])
def test_a_truncated_checkpoint_is_ignored(tmp_path, monkeypatch, keep):
    straight = run(tmp_path)
    leave_checkpoint(tmp_path, monkeypatch)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:keep])
    assert_same(run(tmp_path), straight)


@pytest.mark.parametrize("lost", ["network", "optimiser", "curve", "iteration", "fingerprint"])
def test_a_checkpoint_that_lacks_a_part_leaves_no_trace_in_the_result(tmp_path, monkeypatch, lost):
    straight = run(tmp_path)
    leave_checkpoint(tmp_path, monkeypatch)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state[lost]
    torch.save(state, tmp_path / "checkpoint.pt")
    assert_same(run(tmp_path), straight)


def test_a_checkpoint_of_another_shape_leaves_no_trace_in_the_result(tmp_path, monkeypatch):
    straight = run(tmp_path)
    leave_checkpoint(tmp_path, monkeypatch)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    state["network"]["head.bias"] = torch.zeros(9)
    torch.save(state, tmp_path / "checkpoint.pt")
    assert_same(run(tmp_path), straight)


def test_a_pickle_under_the_name_of_a_checkpoint_is_not_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"fingerprint": "ours", "network": Evil()}, tmp_path / "checkpoint.pt")
    run(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_no_checkpoint_is_written_before_its_time(tmp_path):
    run(tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_another_seed_gives_another_network(tmp_path):
    one, other = run(tmp_path, seed=0)[0], run(tmp_path, seed=1)[0]
    assert not torch.equal(one.head.weight, other.head.weight)


def test_the_state_of_the_global_generator_does_not_matter(tmp_path):
    torch.manual_seed(5)
    one = run(tmp_path)
    torch.manual_seed(99)
    assert_same(run(tmp_path), one)


# ---- learning -------------------------------------------------------------------------------


def test_the_loss_falls_on_an_easy_picture(tmp_path):
    _, curve = run(tmp_path, iterations=40, learning_rate=3e-2)
    assert curve[-1].loss < 0.5 * curve[0].loss


def test_the_network_finds_what_it_was_shown(tmp_path):
    network, _ = run(tmp_path, iterations=60, learning_rate=3e-2)
    data = pictures()
    found = predict(network, data.images, STATISTICS.mean, STATISTICS.std) > 127
    assert (found == data.masks).mean() > 0.9


def test_in_bfloat16_it_finds_the_same_and_its_weights_stay_float32(tmp_path):
    learned, _ = run(tmp_path, iterations=60, learning_rate=3e-2, precision="bfloat16")
    assert {parameter.dtype for parameter in learned.parameters()} == {torch.float32}
    data = pictures()
    given = (learned, data.images, STATISTICS.mean, STATISTICS.std)
    half, full = predict(*given, "bfloat16"), predict(*given)
    assert not np.array_equal(half, full)  # or it was float32 in disguise
    assert ((half > 127) == (full > 127)).mean() > 0.99
    assert ((full > 127) == data.masks).mean() > 0.9


def test_a_training_in_bfloat16_goes_on_as_if_never_killed(tmp_path, monkeypatch):
    whole = run(tmp_path / "whole", precision="bfloat16")
    with monkeypatch.context() as patch:
        patch.setattr(supervised, "generator_of", dying_at(4))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, precision="bfloat16", checkpoint_seconds=0)
    assert_same(run(tmp_path, precision="bfloat16"), whole)


@pytest.mark.skipif(shutil.which("g++") is None, reason="NO C++ COMPILER: a compiled training is not tested")
def test_a_compiled_training_is_the_same_but_for_rounding(tmp_path):
    network, curve = run(tmp_path, depth=1, iterations=3)
    compiled, its_curve = run(tmp_path, depth=1, iterations=3, compile=True)
    assert [step.loss for step in its_curve] == pytest.approx([step.loss for step in curve], rel=1e-4)
    plain, its = (predict(one, pictures().images, 0.3, 0.25).astype(int) for one in (network, compiled))
    assert np.abs(plain - its).max() <= 2


def test_where_nothing_compiles_one_line_tells(tmp_path, monkeypatch):
    from torch._inductor import config  # imported here: it takes a second

    torch.compiler.reset()
    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    with pytest.raises(InputError, match=r"cannot be compiled on this machine .*training\.compile: false"):
        run(tmp_path, compile=True)


def test_the_trained_network_is_in_evaluation_mode(tmp_path):
    assert not run(tmp_path)[0].training


def test_the_curve_has_a_step_an_epoch_with_its_mean_loss(tmp_path):
    _, single = run(tmp_path, learning_rate=1e-3, final_learning_rate=1e-3)
    _, curve = run(tmp_path, learning_rate=1e-3, final_learning_rate=1e-3, iterations_per_epoch=4)
    losses = [step.loss for step in single]
    means = [np.mean(losses[:4]), np.mean(losses[4:])]
    assert [step.iteration for step in curve] == [4, 6]
    assert [step.loss for step in curve] == pytest.approx(means, rel=1e-5)


def test_the_positive_weight_counts_foreground_more(tmp_path):
    statistics = dataclasses.replace(STATISTICS, positive_weight=(300.0, 300.0))
    settings = dataclasses.replace(SETTINGS, iterations=1)
    heavy = train(
        pictures(),
        statistics,
        settings,
        seed=0,
        device="cpu",
        checkpoint=Checkpoint(tmp_path / "none", 1e9, ""),
    )[1]
    assert heavy[0].loss > 10 * run(tmp_path, iterations=1)[1][0].loss


def test_a_loss_that_is_not_finite_is_told_in_one_line(tmp_path):
    with pytest.raises(InputError) as caught:
        run(tmp_path, learning_rate=1e30)
    assert "\n" not in str(caught.value)
    assert "training.learning_rate" in str(caught.value)
    assert "iteration" in str(caught.value)


def test_a_loss_that_is_not_finite_is_never_saved(tmp_path):
    with pytest.raises(InputError):
        run(tmp_path, learning_rate=1e30, iterations_per_epoch=3, checkpoint_seconds=0)
    assert list(tmp_path.iterdir()) == []


# ---- schedule -------------------------------------------------------------------------------


def test_the_cosine_is_its_closed_form_from_1e_3_to_1e_5():
    rates = [cosine(PAPER, epoch) for epoch in range(350)]
    closed = [1e-5 + (1e-3 - 1e-5) * math.cos(math.pi / 2 * epoch / 349) ** 2 for epoch in range(350)]
    assert rates == pytest.approx(closed, rel=1e-9)


def test_the_cosine_starts_and_ends_at_the_configured_rates():
    assert cosine(PAPER, 0) == pytest.approx(1e-3)
    assert cosine(PAPER, 349) == pytest.approx(1e-5)


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


# ---- prediction and files -------------------------------------------------------------------


def network_that_always_says(probability):
    network = UNet(2, width=4, depth=2).eval()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(math.log(probability / (1 - probability)))
    return network


@pytest.mark.parametrize(("probability", "stored"), [(0.2, 51), (0.4982, 127), (0.502, 128), (0.9999, 255)])
def test_probabilities_are_stored_in_8_bits(probability, stored):
    values = predict(network_that_always_says(probability), np.zeros((1, 8, 8), np.uint8), 0.3, 0.2)
    assert values.dtype == np.uint8
    assert np.unique(values).tolist() == [stored]


def test_prediction_has_one_map_a_case_and_class():
    values = predict(network_that_always_says(0.3), np.zeros((5, 8, 16), np.uint8), 0.3, 0.2, batch_size=2)
    assert values.shape == (5, 2, 8, 16)


def test_the_batch_size_of_a_prediction_does_not_matter():
    torch.manual_seed(0)
    network = UNet(2, width=4, depth=2).eval()
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16), dtype=np.uint8)
    one, three, all_ = (predict(network, images, 0.4, 0.3, size).astype(int) for size in (1, 3, 8))
    assert np.ptp(one) > 10
    assert np.abs(one - three).max() <= 1  # convolutions of other batches may round otherwise
    assert np.abs(one - all_).max() <= 1


def test_prediction_normalises_as_training_does():
    torch.manual_seed(0)
    network = UNet(2, width=4, depth=2).eval()
    data = pictures()
    with torch.no_grad():
        expected = (
            network(normalise(torch.from_numpy(data.images), STATISTICS.mean, STATISTICS.std)).sigmoid() * 255
        )
    values = predict(network, data.images, STATISTICS.mean, STATISTICS.std)
    assert np.abs(values - expected.numpy()).max() <= 0.51


def test_the_curve_is_written_as_csv(tmp_path):
    write_curve(tmp_path / "curve.csv", [Step(3, 1e-3, 0.75), Step(6, 1e-5, 0.5)])
    content = (tmp_path / "curve.csv").read_bytes()
    assert b"\r" not in content
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == [
        {"iteration": 3, "learning_rate": 1e-3, "loss": 0.75},
        {"iteration": 6, "learning_rate": 1e-5, "loss": 0.5},
    ]


# ---- a start, and weights -------------------------------------------------------------------


def test_a_training_may_start_from_another_network_and_leaves_that_as_it_was(tmp_path):
    start, _ = run(tmp_path)
    before = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    slow = dataclasses.replace(SETTINGS, iterations=1, learning_rate=1e-9, final_learning_rate=1e-9)
    checkpoint = Checkpoint(tmp_path / "c.pt", 1e9, "x")
    network, _ = train(pictures(), STATISTICS, slow, seed=5, device="cpu", checkpoint=checkpoint, start=start)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=1e-6, rtol=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in start.state_dict().items())


def test_a_class_of_weight_0_teaches_nothing(tmp_path):
    """Its logit layer keeps the weights it began with, while the other class's moves."""
    data = pictures()
    muted = TrainingData(data.images, data.masks, np.array([[0, 1], [0, 1]], dtype=np.float32))
    checkpoint = Checkpoint(tmp_path / "c.pt", 1e9, "x")
    torch.manual_seed(0)
    fresh = UNet(2, SETTINGS.width, SETTINGS.depth)
    network, _ = train(muted, STATISTICS, SETTINGS, seed=0, device="cpu", checkpoint=checkpoint)
    assert torch.equal(network.head.weight[0], fresh.head.weight[0])
    assert not torch.equal(network.head.weight[1], fresh.head.weight[1])
