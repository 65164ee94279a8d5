"""Mean Teacher: the teacher is the moving average, and views are compared in the same coordinates."""

import dataclasses

import numpy as np
import pytest
import torch

from samcarry.baselines import mean_teacher
from samcarry.baselines.mean_teacher import (
    MeanTeacherSettings,
    consistency_loss,
    train_mean_teacher,
    valid_pixels,
)
from samcarry.networks.batches import LabelledBatch, generator_of
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, train_loop
from samcarry.networks.unet import UNet
from support.tiny_training import SETTINGS, STATISTICS, dying_at, pictures, states_equal


def start():
    torch.manual_seed(0)
    return UNet(2, SETTINGS.width, SETTINGS.depth)


def run(folder, alpha=0.9, weight=1.0, select=None, seconds=1e9, unlabelled=None, **changes):
    return train_mean_teacher(
        pictures(),
        pictures(1) if unlabelled is None else unlabelled,
        STATISTICS,
        dataclasses.replace(SETTINGS, **changes),
        MeanTeacherSettings(alpha, weight),
        start=start(),
        seed=0,
        device="cpu",
        checkpoint=Checkpoint(folder / "checkpoint.pt", seconds, "ours"),
        select=select,
    )


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9, 0.996, 1.0])
def test_the_teacher_is_the_interpolated_average_of_the_students_bit_for_bit(tmp_path, monkeypatch, alpha):
    """Teacher = alpha · teacher + (1 - alpha) · student after each step, beginning with the start."""
    expected = [parameter.detach().clone() for parameter in start().parameters()]

    def recording(loss_of, networks, trained, settings, checkpoint, after_step):
        @torch.no_grad()
        def average_too():
            after_step()
            for slow, parameter in zip(expected, networks["network"].parameters(), strict=True):
                slow.lerp_(parameter, 1 - alpha)

        return train_loop(loss_of, networks, trained, settings, checkpoint, after_step=average_too)

    monkeypatch.setattr(mean_teacher, "train_loop", recording)
    teacher, _ = run(tmp_path, alpha=alpha, iterations=20)
    assert all(torch.equal(a, b) for a, b in zip(teacher.parameters(), expected, strict=True))


def test_a_teacher_of_alpha_1_does_not_change(tmp_path):
    teacher, _ = run(tmp_path, alpha=1.0)
    assert states_equal(teacher, start())


def test_a_teacher_of_alpha_0_is_the_student_and_learns(tmp_path):
    teacher, curve = run(tmp_path, alpha=0.0, iterations=60)
    assert curve[-1].loss < 0.7 * curve[0].loss
    assert not states_equal(teacher, start())


def test_in_bfloat16_the_loss_falls_as_in_float32(tmp_path):
    full, half = (run(tmp_path / name, precision=name)[1] for name in ("float32", "bfloat16"))
    assert half != full  # or it was float32 in disguise
    assert [step.loss for step in half] == pytest.approx([step.loss for step in full], rel=0.1)


def test_the_start_is_not_changed(tmp_path):
    before = start()
    train_mean_teacher(
        pictures(),
        pictures(1),
        STATISTICS,
        SETTINGS,
        MeanTeacherSettings(0.5, 1.0),
        start=before,
        seed=0,
        device="cpu",
        checkpoint=Checkpoint(tmp_path / "c", 1e9, ""),
    )
    assert states_equal(before, start())


def test_a_killed_and_resumed_training_equals_an_uninterrupted_one(tmp_path, monkeypatch):
    unbroken, unbroken_curve = run(tmp_path / "unbroken")

    with monkeypatch.context() as patch:
        patch.setattr(mean_teacher, "generator_of", dying_at(3))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, seconds=0)
    assert (tmp_path / "checkpoint.pt").exists()
    resumed, curve = run(tmp_path)
    assert states_equal(resumed, unbroken)
    assert curve == unbroken_curve


def test_the_masks_of_unlabelled_cases_are_not_used(tmp_path):
    data = pictures(1)
    scrambled = TrainingData(data.images, ~data.masks)
    one, _ = run(tmp_path / "one", unlabelled=data)
    other, _ = run(tmp_path / "other", unlabelled=scrambled)
    assert states_equal(one, other)


# ---- consistency ----------------------------------------------------------------------------


class Pointwise(torch.nn.Module):
    """A network that commutes with affine maps, as it processes each pixel separately."""

    def forward(self, x):
        return torch.cat([2 * x, -x], dim=1)


def batch(count=3):
    y, x = torch.meshgrid(torch.arange(64) / 8, torch.arange(48) / 8, indexing="ij")
    image = (x.sin() * y.cos()).expand(count, 1, 64, 48)
    return LabelledBatch(np.arange(count), image, torch.zeros(count, 2, 64, 48), None)


def loss(student, teacher, select=None, sigma=0.05):
    return consistency_loss(student, teacher, batch(), sigma, generator_of(0, 0), select)


def test_views_are_warped_back_before_they_are_compared():
    assert loss(Pointwise(), Pointwise()) < 0.02 * loss(Pointwise(), torch.nn.Conv2d(1, 2, 1))


def test_without_augmentation_the_consistency_is_the_mean_square():
    student, teacher = Pointwise(), UNet(2, 4, 2)
    expected = (student(batch().images) - teacher(batch().images)).square().mean()
    torch.testing.assert_close(loss(student, teacher, sigma=0.0), expected, rtol=1e-3, atol=1e-5)


def test_pixels_outside_a_view_do_not_count():
    shifted = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])  # by half a width
    counts = valid_pixels(torch.ones(1, 1, 64, 48), shifted)
    assert counts.mean().item() == pytest.approx(0.5, abs=0.05)


def test_rejected_cases_do_not_count():
    def first_only(indices, logits):
        return torch.tensor(indices == 0)

    class OffForTheFirst(Pointwise):
        def forward(self, x):
            return super().forward(x) + torch.tensor([5.0, 0.0, 0.0])[:, None, None, None]

    assert loss(Pointwise(), OffForTheFirst(), first_only) > 20

    class OffForTheRest(Pointwise):
        def forward(self, x):
            return super().forward(x) + torch.tensor([0.0, 5.0, 5.0])[:, None, None, None]

    assert loss(Pointwise(), OffForTheRest(), first_only) < 0.1


def test_if_all_cases_are_rejected_the_loss_is_0():
    assert (
        loss(UNet(2, 4, 2), Pointwise(), lambda indices, logits: torch.zeros(len(indices), dtype=torch.bool))
        == 0
    )
