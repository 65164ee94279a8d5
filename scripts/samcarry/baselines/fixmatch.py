"""FixMatch with UniMatch's CutMix on the same U-Net, as a recent semi-supervised baseline.

The network's confident predictions for a weakly augmented image are the targets for a strongly augmented view
of the same image. Beyond the paper; Sohn et al., NeurIPS 2020; Yang et al., CVPR 2023.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from samcarry.networks.augmentation import draw_affine, strong_view, warp
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
