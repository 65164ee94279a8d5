"""FixMatch with UniMatch's CutMix on the same U-Net, as a recent semi-supervised baseline.

The network's confident predictions for a weakly augmented image are the targets for a strongly augmented view
of the same image. Beyond the paper; Sohn et al., NeurIPS 2020; Yang et al., CVPR 2023.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from samcarry.networks.augmentation import draw_affine, warp
from samcarry.networks.batches import draw_images, generator_of
from samcarry.networks.subset_statistics import SubsetStatistics
from samcarry.networks.supervised import supervised_loss
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, Step, TrainingSettings, train_loop
from samcarry.networks.unet import UNet


@dataclass(frozen=True)
class FixMatchSettings:
    """The `fixmatch` block of the config; the schema gives meaning, units and defaults."""

    confidence: float
    weight: float


def train_fixmatch(
    labelled: TrainingData,
    unlabelled: TrainingData,
    statistics: SubsetStatistics,
    settings: TrainingSettings,
    fixmatch: FixMatchSettings,
    *,
    start: UNet,
    seed: int,
    device: str,
    checkpoint: Checkpoint,
) -> tuple[UNet, list[Step]]:
    """Train one U-Net from f_θ on labelled and unlabelled batches of the same size.

    Args:
        labelled: X^n.
        unlabelled: the unlabelled cases; their masks are not used.
        statistics: normalisation and class weights of X^n.
        settings: length and learning rate, as for all trainings.
        fixmatch: the confidence from which a prediction counts, and the weight of the consistency loss.
        start: f_θ.
        seed: seed of the batches and the augmentation.
        device: 'cpu' or 'cuda'.
        checkpoint: where to save the training and resume it from.

    Returns:
        The network after the last iteration, in evaluation mode, and the training curve.

    Raises:
        InputError: the loss is not finite.
    """
    network = deepcopy(start).train().to(device)
    supervised = supervised_loss(network, labelled, statistics, settings, device)

    def loss_of(iteration: int) -> Tensor:
        generator = generator_of(seed, iteration)
        loss = supervised(generator)
        batch = draw_images(unlabelled, statistics, settings.batch_size, generator, device)
        weak = warp(batch.images, draw_affine(len(batch.images), settings.affine_sigma, generator))
        with torch.no_grad():
            probability = network(weak).float().sigmoid()
        strong, probability = strong_view(weak, probability, generator)
        return loss + fixmatch.weight * pseudo_loss(network(strong), probability, fixmatch.confidence)

    curve = train_loop(loss_of, {"network": network}, network, settings, checkpoint)
    return network.eval(), curve


def pseudo_loss(logits: Tensor, probability: Tensor, confidence: float) -> Tensor:
    """BCE of logits (B, C, H, W) with thresholded confident predictions, averaged over all pixels.

    A pixel of a class counts if its `probability` is at least `confidence` or at most 1 - `confidence`.
    """
    counts = (probability >= confidence) | (probability <= 1 - confidence)
    loss = F.binary_cross_entropy_with_logits(logits.float(), (probability > 0.5).float(), reduction="none")
    return (loss * counts).mean()


def strong_view(images: Tensor, probability: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Change the grey values, add noise, and paste a box from another case of the batch (CutMix).

    Own code instead of `torchvision.transforms.v2`, which draws from the global random generator: a resumed
    training needs all random numbers from `generator`.

    Args:
        images: normalised (B, 1, H, W).
        probability: predictions (B, C, H, W), from which the same boxes are pasted.
        generator: source of all random numbers.

    Returns:
        The changed images and the predictions with the pasted boxes.
    """
    count, _, height, width = images.shape
    contrast, brightness, blur, noise = torch.rand(4, count, 1, 1, 1, generator=generator).to(images.device)
    smooth = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    changed = torch.where(blur < 0.5, smooth, images) * (0.6 + 0.8 * contrast) + (brightness - 0.5)
    changed = changed + 0.2 * noise * torch.randn(images.shape, generator=generator).to(images.device)
    inside = torch.zeros(count, 1, height, width, dtype=torch.bool)
    sides = torch.rand(count, 4, generator=generator)
    for mask, (vertical, horizontal, top, left) in zip(inside, sides.tolist(), strict=True):
        rows, columns = round(height * (0.2 + 0.3 * vertical)), round(width * (0.2 + 0.3 * horizontal))
        row, column = round((height - rows) * top), round((width - columns) * left)
        mask[:, row : row + rows, column : column + columns] = True
    inside = inside.to(images.device)
    return (
        torch.where(inside, changed.roll(1, dims=0), changed),
        torch.where(inside, probability.roll(1, dims=0), probability),
    )
