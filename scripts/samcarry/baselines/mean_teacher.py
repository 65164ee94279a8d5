"""Mean Teacher (paper ref. [24]), optionally with pseudo labels selected by SAM (ref. [18]).

Student and teacher start from f_θ. The student learns from the labelled cases, and learns to agree with the
teacher on unlabelled cases. Both see an unlabelled image through different affine maps, which are undone
before their outputs are compared. The teacher is the exponential moving average of the student, and it is the
network that is evaluated.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from samcarry.networks.augmentation import draw_affine, inverse, warp
from samcarry.networks.batches import ImageBatch, draw_images, generator_of
from samcarry.networks.subset_statistics import SubsetStatistics
from samcarry.networks.supervised import supervised_loss
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, Step, TrainingSettings, train_loop
from samcarry.networks.unet import UNet

Selection = Callable[[NDArray, Tensor], Tensor]
"""Maps indices of B unlabelled cases and the teacher's logits (B, C, H, W) to bool (B,): True = keep."""


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
        labelled: X^n; each iteration draws one batch from it and one from `unlabelled`.
        unlabelled: the unlabelled cases; their masks are not used.
        statistics: normalisation and class weights of X^n.
        settings: length and learning rate, as for all trainings.
        mean_teacher: decay of the moving average, and weight of the consistency loss.
        start: f_θ.
        seed: seed of the batches and the augmentation.
        device: 'cpu' or 'cuda'.
        checkpoint: where to save the training and resume it from.
        select: chooses the teacher's reliable predictions; None = all.

    Returns:
        The teacher, in evaluation mode, and the student's training curve.

    Raises:
        InputError: the loss is not finite.
    """
    student = deepcopy(start).train().to(device)
    average = AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(mean_teacher.alpha))
    average.update_parameters(student)  # the first update copies the weights, later ones average them
    teacher = cast(UNet, average.module.requires_grad_(False))
    supervised = supervised_loss(student, labelled, statistics, settings, device)

    def loss_of(iteration: int) -> Tensor:
        generator = generator_of(seed, iteration)
        loss = supervised(generator)
        batch = draw_images(unlabelled, statistics, settings.batch_size, generator, device)
        consistency = consistency_loss(student, teacher, batch, settings.affine_sigma, generator, select)
        return loss + mean_teacher.consistency_weight * consistency

    curve = train_loop(
        loss_of,
        {"network": student, "teacher": teacher},
        student,
        settings,
        checkpoint,
        after_step=lambda: average.update_parameters(student),
    )
    return teacher.eval(), curve


def consistency_loss(
    student: nn.Module,
    teacher: nn.Module,
    batch: ImageBatch,
    sigma: float,
    generator: torch.Generator,
    select: Selection | None = None,
) -> Tensor:
    """Mean squared difference of the logits of student and teacher, in the coordinates of the image.

    Pixels outside one of the two views and cases that `select` rejects are ignored; if nothing is left, the
    loss is 0.
    """
    student_map = draw_affine(len(batch.images), sigma, generator)
    teacher_map = draw_affine(len(batch.images), sigma, generator)
    prediction = warp(student(warp(batch.images, student_map)), inverse(student_map))
    with torch.no_grad():
        target = warp(teacher(warp(batch.images, teacher_map)), inverse(teacher_map))
        everywhere = torch.ones_like(batch.images)
        counts = valid_pixels(everywhere, student_map) * valid_pixels(everywhere, teacher_map)
        if select is not None:
            counts = counts * select(batch.indices, target)[:, None, None, None]
    squares = (prediction - target).square().mean(dim=1, keepdim=True)
    return (squares * counts).sum() / counts.sum().clamp(min=1)


def valid_pixels(everywhere: Tensor, theta: Tensor) -> Tensor:
    """1 for pixels of the image (B, 1, H, W) that are inside the view of affine maps (B, 2, 3), else 0.

    Args:
        everywhere: ones of the size of the images.
        theta: the affine maps.
    """
    return (warp(warp(everywhere, theta), inverse(theta)) > 0.99).float()
