"""The training routine: a kill changes nothing, the schedule is the paper's, faults are told."""

import csv
import dataclasses
import logging
import math

import numpy as np
import pytest
import torch

from samcarry import training
from samcarry.errors import InputError
from samcarry.shards import TrainingData
from samcarry.subset import SubsetStatistics
from samcarry.training import (
    Step,
    TrainingSettings,
    augment,
    cosine,
    normalise,
    predict,
    train,
    write_curve,
)
from samcarry.unet import UNet

SETTINGS = TrainingSettings(
    width=4,
    depth=2,
    iterations=6,
    iterations_per_epoch=1,
    batch_size=3,
    learning_rate=1e-2,
    final_learning_rate=1e-4,
    affine_sigma=0.03,
)
PAPER = dataclasses.replace(
    SETTINGS, iterations=1050, iterations_per_epoch=3, learning_rate=1e-3, final_learning_rate=1e-5
)
STATISTICS = SubsetStatistics(("a", "b"), ("left", "top"), 0.3, 0.25, (3.0, 3.0))


def pictures():
    """Two dark pictures with a bright bar each, which is what is to be found."""
    masks = np.zeros((2, 2, 16, 16), dtype=bool)
    masks[0, 0, :, :4] = True
    masks[1, 1, :4, :] = True
    noise = np.random.default_rng(0).integers(0, 40, (2, 16, 16))
    return TrainingData((noise + 200 * masks.any(axis=1)).astype(np.uint8), masks)


def run(folder, fingerprint="ours", seed=0, checkpoint_seconds=1e9, **changes):
    return train(
        pictures(),
        STATISTICS,
        dataclasses.replace(SETTINGS, **changes),
        seed=seed,
        device="cpu",
        checkpoint=folder / "checkpoint.pt",
        checkpoint_seconds=checkpoint_seconds,
        fingerprint=fingerprint,
    )


def assert_same(one, other):
    """Networks and curves of two trainings are equal bit for bit."""
    (network, curve), (other_network, other_curve) = one, other
    assert curve == other_curve
    state, other_state = network.state_dict(), other_network.state_dict()
    assert all(torch.equal(state[name], other_state[name]) for name in state)


def kill_at(monkeypatch, iteration):
    """Make the next training die when it asks for the batch of an iteration."""
    draw = training._batch

    def dying(data, statistics, settings, seed, now, device):
        if now == iteration:
            raise KeyboardInterrupt
        return draw(data, statistics, settings, seed, now, device)

    monkeypatch.setattr(training, "_batch", dying)


def leave_checkpoint(folder, monkeypatch, iteration=3, fingerprint="ours", **changes):
    """Leave the checkpoint of a training that was killed at an iteration."""
    with monkeypatch.context() as patch:
        kill_at(patch, iteration)
        with pytest.raises(KeyboardInterrupt):
            run(folder, fingerprint, checkpoint_seconds=0, **changes)
    assert (folder / "checkpoint.pt").exists()


def iterations_asked_for(monkeypatch):
    """A list that fills with the iterations whose batches the next training draws."""
    asked, draw = [], training._batch

    def recording(data, statistics, settings, seed, now, device):
        asked.append(now)
        return draw(data, statistics, settings, seed, now, device)

    monkeypatch.setattr(training, "_batch", recording)
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
        checkpoint=tmp_path / "none",
        checkpoint_seconds=1e9,
        fingerprint="",
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


# ---- batches and augmentation ---------------------------------------------------------------


def batch(seed, iteration, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    return training._batch(pictures(), STATISTICS, settings, seed, iteration, "cpu")


def test_a_batch_depends_on_seed_and_iteration_alone():
    first = batch(3, 7)
    batch(3, 8)
    again = batch(3, 7)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


@pytest.mark.parametrize(("seed", "iteration"), [(3, 8), (4, 7), (7, 3)])
def test_another_seed_or_iteration_gives_another_batch(seed, iteration):
    assert not torch.equal(batch(3, 7)[0], batch(seed, iteration)[0])


def test_a_batch_may_be_larger_than_the_training_set():
    images, masks = batch(0, 0, batch_size=50, affine_sigma=0.0)
    assert images.shape == (50, 1, 16, 16)
    bars = {tuple(mask.flatten(1).any(1).tolist()) for mask in masks}
    assert bars == {(True, False), (False, True)}


def test_cases_are_drawn_evenly():
    _, masks = batch(0, 0, batch_size=2000, affine_sigma=0.0)
    share = masks[:, 0, :, 0].amax(1).mean().item()
    assert share == pytest.approx(0.5, abs=0.05)


def test_normalising_gives_mean_0_and_deviation_1():
    statistics = dataclasses.replace(STATISTICS, mean=100 / 255, std=50 / 255)
    images = torch.tensor([[[50, 100, 150]]], dtype=torch.uint8)
    assert normalise(images, statistics.mean, statistics.std).tolist() == [
        [[pytest.approx([-1, 0, 1], abs=1e-5)]]
    ]


SQUARES = torch.zeros(4, 1, 64, 48)
SQUARES[..., 20:44, 12:36] = 1.0


def moved(sigma, seed=0, images=SQUARES):
    return augment(images, SQUARES, sigma, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(16, 16), (13, 7), (384, 224)])
def test_an_augmentation_of_sigma_0_changes_nothing(size):
    images = torch.randn(2, 1, *size)
    masks = (torch.rand(2, 3, *size) > 0.5).float()
    same_images, same_masks = augment(images, masks, 0.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(same_images, images, atol=1e-3, rtol=0)
    assert torch.equal(same_masks, masks)


def test_masks_stay_binary():
    _, masks = moved(0.1)
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_image_and_mask_move_together():
    images, masks = moved(0.1)
    assert ((images > 0.5) != (masks > 0.5)).float().mean() < 0.005
    assert (masks != SQUARES).float().mean() > 0.02


def test_each_sample_moves_in_its_own_way():
    _, masks = moved(0.1)
    assert not torch.equal(masks[0], masks[1])


def test_all_classes_of_a_sample_move_in_the_same_way():
    masks = SQUARES.repeat(1, 2, 1, 1)
    _, masks = augment(SQUARES, masks, 0.1, torch.Generator().manual_seed(0))
    assert torch.equal(masks[:, 0], masks[:, 1])


def test_what_comes_from_outside_is_no_class_and_of_mean_grey():
    everywhere = torch.ones(1, 1, 32, 32)
    images, masks = augment(everywhere, everywhere, 0.3, torch.Generator().manual_seed(1))
    assert masks.min() == 0
    assert images.min() == 0


def test_the_six_numbers_scatter_by_sigma(monkeypatch):
    seen = []

    def grid_of(theta, size, align_corners):
        seen.append(theta)
        return torch.zeros(len(theta), *size[2:], 2)

    monkeypatch.setattr(training.F, "affine_grid", grid_of)
    many = torch.zeros(3000, 1, 2, 2)
    augment(many, many, 0.03, torch.Generator().manual_seed(0))
    scatter = seen[0] - torch.eye(2, 3)
    assert scatter.std(0).flatten().tolist() == pytest.approx([0.03] * 6, rel=0.05)


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
