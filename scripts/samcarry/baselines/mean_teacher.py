"""Mean Teacher (paper ref. [24]), alone or with SAM's selection of its pseudo labels (ref. [18]).

Student and teacher start from f_θ. The student learns from the labelled cases, and to agree with the
teacher on unlabelled ones, which each of the two sees through an affine map of its own; the maps are
undone before the two are compared. The teacher follows as a moving average, and is what is evaluated.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from samcarry.networks.batches import Images, draw_affine, draw_images, generator_of, inverse, warp
from samcarry.networks.statistics import SubsetStatistics
from samcarry.networks.supervised import supervised_loss
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, Step, TrainingSettings, run
from samcarry.networks.unet import UNet

Selection = Callable[[NDArray, Tensor], Tensor]
"""From the places of B unlabelled cases and the teacher's logits (B, C, H, W) to what is kept, bool (B,)."""


@dataclass(frozen=True)
class MeanTeacherSettings:
    """The `mean_teacher` block of the config; the schema gives meaning, units and defaults."""

    alpha: float
    consistency_weight: float


def train_mean_teacher(
    labelled: TrainingData,
    unlabelled: TrainingData,
    statistics: SubsetStatistics,
    settings: TrainingSettings,
    mean_teacher: MeanTeacherSettings,
    *,
    start: UNet,
    seed: int,
    device: str,
    checkpoint: Checkpoint,
    select: Selection | None = None,
) -> tuple[UNet, list[Step]]:
    """Train a student and its teacher.

    Args:
        labelled: X^n; a batch of it and one of `unlabelled` is drawn in each iteration.
        unlabelled: Y; its masks are not looked at.
        statistics: of X^n: normalisation and class weights.
        settings: length and learning rate, as of all trainings.
        mean_teacher: of the moving average and the consistency.
        start: f_θ.
        seed: of batches and augmentation.
        device: 'cpu' or 'cuda'.
        checkpoint: what to go on from, and where to save.
        select: which of the teacher's predictions are reliable; None = all.

    Returns:
        The teacher, in evaluation mode, and the student's training curve.

    Raises:
        InputError: the loss is not finite.
    """
    student = deepcopy(start).train().to(device)
    teacher = deepcopy(start).train().to(device).requires_grad_(False)
    supervised = supervised_loss(student, labelled, statistics, settings, device)

    def loss_of(iteration: int) -> Tensor:
        generator = generator_of(seed, iteration)
        loss = supervised(generator)
        batch = draw_images(unlabelled, statistics, settings.batch_size, generator, device)
        consistency = consistency_loss(student, teacher, batch, settings.affine_sigma, generator, select)
        return loss + mean_teacher.consistency_weight * consistency

    curve = run(
        loss_of,
        {"network": student, "teacher": teacher},
        student,
        settings,
        checkpoint,
        after_step=lambda: follow(teacher, student, mean_teacher.alpha),
    )
    return teacher.eval(), curve


def consistency_loss(
    student: nn.Module,
    teacher: nn.Module,
    batch: Images,
    sigma: float,
    generator: torch.Generator,
    select: Selection | None = None,
) -> Tensor:
    """Mean squared difference of the two networks' logits, back in the frame of the image.

    What one of the two views did not show does not count, nor do cases that `select` turns down; if
    nothing is left, the loss is 0.
    """
    own = draw_affine(len(batch.images), sigma, generator)
    others = draw_affine(len(batch.images), sigma, generator)
    answer = warp(student(warp(batch.images, own)), inverse(own))
    with torch.no_grad():
        target = warp(teacher(warp(batch.images, others)), inverse(others))
        everywhere = torch.ones_like(batch.images)
        counts = seen(everywhere, own) * seen(everywhere, others)
        if select is not None:
            counts = counts * select(batch.chosen, target)[:, None, None, None]
    squares = (answer - target).square().mean(dim=1, keepdim=True)
    return (squares * counts).sum() / counts.sum().clamp(min=1)


def seen(everywhere: Tensor, theta: Tensor) -> Tensor:
    """1 where a pixel of the image (B, 1, H, W) came through a view and back, else 0."""
    return (warp(warp(everywhere, theta), inverse(theta)) > 0.99).float()


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, alpha: float) -> None:
    """Teacher = alpha · teacher + (1 - alpha) · student, for each parameter."""
    for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
        old.lerp_(new, 1 - alpha)
