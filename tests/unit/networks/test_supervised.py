"""Supervised training: it learns, is reproducible, and uses weights, start, precision and views as asked."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from samcarry.networks import supervised
from samcarry.networks.prediction import predict
from samcarry.networks.supervised import train
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint
from samcarry.networks.unet import UNet
from support.tiny_training import SETTINGS, STATISTICS, assert_same, dying_at, pictures, run, states_equal


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


@pytest.mark.skipif(shutil.which("g++") is None, reason="NO C++ COMPILER: a compiled training is not tested")
def test_a_compiled_training_is_the_same_but_for_rounding(tmp_path):
    network, curve = run(tmp_path, depth=1, iterations=3)
    compiled, its_curve = run(tmp_path, depth=1, iterations=3, compile=True)
    assert [step.loss for step in its_curve] == pytest.approx([step.loss for step in curve], rel=1e-4)
    plain, its = (predict(one, pictures().images, 0.3, 0.25).astype(int) for one in (network, compiled))
    assert np.abs(plain - its).max() <= 2


def test_the_trained_network_is_in_evaluation_mode(tmp_path):
    assert not run(tmp_path)[0].training


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


# ---- a start, and weights -------------------------------------------------------------------


def test_a_training_may_start_from_another_network_without_changing_it(tmp_path):
    start, _ = run(tmp_path)
    before = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    slow = dataclasses.replace(SETTINGS, iterations=1, learning_rate=1e-9, final_learning_rate=1e-9)
    checkpoint = Checkpoint(tmp_path / "c.pt", 1e9, "x")
    network, _ = train(pictures(), STATISTICS, slow, seed=5, device="cpu", checkpoint=checkpoint, start=start)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=1e-6, rtol=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in start.state_dict().items())


def test_a_class_of_weight_0_teaches_nothing(tmp_path):
    """Its logit layer keeps the initial weights, while that of the other class changes."""
    data = pictures()
    muted = TrainingData(data.images, data.masks, np.array([[0, 1], [0, 1]], dtype=np.float32))
    checkpoint = Checkpoint(tmp_path / "c.pt", 1e9, "x")
    torch.manual_seed(0)
    fresh = UNet(2, SETTINGS.width, SETTINGS.depth)
    network, _ = train(muted, STATISTICS, SETTINGS, seed=0, device="cpu", checkpoint=checkpoint)
    assert torch.equal(network.head.weight[0], fresh.head.weight[0])
    assert not torch.equal(network.head.weight[1], fresh.head.weight[1])


def test_pixels_that_are_unsure_teach_nothing(tmp_path):
    """Neither the masks there, nor their warped copies, have an influence; all other pixels do."""
    data = pictures()
    unsure = np.zeros_like(data.masks)
    unsure[:, 0, :, : data.masks.shape[-1] // 2] = True

    def trained(masks, unsure):
        given = TrainingData(data.images, masks, unsure=unsure)
        checkpoint = Checkpoint(tmp_path / "c.pt", 1e9, "x")
        network, _ = train(given, STATISTICS, SETTINGS, seed=0, device="cpu", checkpoint=checkpoint)
        return network.state_dict()

    wrong = data.masks ^ unsure
    for name, tensor in trained(wrong, unsure).items():
        assert torch.equal(tensor, trained(data.masks, unsure)[name])
    assert not torch.equal(trained(wrong, None)["head.weight"], trained(data.masks, None)["head.weight"])
    nothing = np.zeros_like(unsure)
    torch.testing.assert_close(trained(data.masks, nothing), trained(data.masks, None))


# ---- strong views ---------------------------------------------------------------------------


def train_strongly(data, folder, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    checkpoint = Checkpoint(folder / "c.pt", 1e9, "x")
    return train(data, STATISTICS, settings, seed=0, device="cpu", checkpoint=checkpoint, strong=True)


def test_masks_follow_the_boxes_that_are_pasted(tmp_path, monkeypatch):
    """Grey values are constant in each case, so the images that the network sees show where a box is from."""
    values = np.array([60, 180], dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None], (2, 16, 16)).copy()
    masks = np.zeros((2, 2, 16, 16), dtype=bool)
    masks[1] = True
    seen, loss = [], supervised.F.binary_cross_entropy_with_logits

    class Spy(UNet):
        def forward(self, x):
            seen.append([x])
            return super().forward(x)

    def recording(logits, targets, *given, **options):
        seen[-1].append(targets)
        return loss(logits, targets, *given, **options)

    monkeypatch.setattr(supervised, "UNet", Spy)
    monkeypatch.setattr(supervised.F, "binary_cross_entropy_with_logits", recording)
    train_strongly(TrainingData(images, masks), tmp_path, affine_sigma=0.0, batch_size=4, iterations=8)
    mixed = 0
    for image, target in ((image, target) for batch in seen for image, target in zip(*batch, strict=True)):
        assert torch.equal(target[0], target[1])
        if 0 < target.mean() < 1:
            mixed += 1
            assert image[0][target[0] == 1].mean() > image[0][target[0] == 0].mean()
    assert mixed > 4


def test_it_learns_from_strong_views(tmp_path):
    network, curve = train_strongly(pictures(), tmp_path, iterations=60, learning_rate=3e-2)
    assert curve[-1].loss < 0.7 * curve[0].loss
    found = predict(network, pictures().images, STATISTICS.mean, STATISTICS.std) > 127
    assert (found == pictures().masks).mean() > 0.85


def test_strong_views_change_the_training_and_resume_exactly(tmp_path, monkeypatch):
    strong = train_strongly(pictures(), tmp_path / "strong")
    assert not states_equal(strong[0], run(tmp_path / "weak")[0])
    with monkeypatch.context() as patch:
        patch.setattr(supervised, "generator_of", dying_at(3))
        with pytest.raises(KeyboardInterrupt):
            train(
                pictures(),
                STATISTICS,
                SETTINGS,
                seed=0,
                device="cpu",
                checkpoint=Checkpoint(tmp_path / "c.pt", 0, "x"),
                strong=True,
            )
    assert (tmp_path / "c.pt").exists()
    assert_same(train_strongly(pictures(), tmp_path), strong)
