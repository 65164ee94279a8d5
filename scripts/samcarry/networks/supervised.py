"""Supervised training of the U-Nets f_θ, f_φ and full supervision (paper §3.1)."""

from collections.abc import Callable
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samcarry.networks.augmentation import augment, strong_view
from samcarry.networks.batches import draw_batch, generator_of
from samcarry.networks.subset_statistics import SubsetStatistics
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, Step, TrainingSettings, train_loop
from samcarry.networks.unet import UNet


def train(
    data: TrainingData,
    statistics: SubsetStatistics,
    settings: TrainingSettings,
    *,
    seed: int,
    device: str,
    checkpoint: Checkpoint,
    start: UNet | None = None,
    strong: bool = False,
) -> tuple[UNet, list[Step]]:
    """Train a U-Net with weighted binary cross-entropy.

    Args:
        data: N training cases; each batch is drawn from them with replacement.
        statistics: normalisation and class weights of X^n.
        settings: length, network size and learning rate.
        seed: seed of the weights, the batches and the augmentation.
        device: 'cpu' or 'cuda'.
        checkpoint: where to save the training and resume it from.
        start: network to start from; None = random weights.
        strong: whether the network sees strong views (see `augmentation.strong_view`), beyond the paper.

    Returns:
        The network after the last iteration, in evaluation mode, and the training curve.

    Raises:
        InputError: the loss is not finite.
    """
    torch.manual_seed(seed)
    fresh = UNet(len(statistics.classes), settings.width, settings.depth)
    network = (fresh if start is None else deepcopy(start)).train().to(device)
    loss_of = supervised_loss(network, data, statistics, settings, device, strong)
    curve = run_supervised(loss_of, network, settings, seed, checkpoint)
    return network.eval(), curve


def run_supervised(
    loss_of: Callable[[torch.Generator], Tensor],
    network: nn.Module,
    settings: TrainingSettings,
    seed: int,
    checkpoint: Checkpoint,
) -> list[Step]:
    """Train one network with a loss from `supervised_loss`; return the training curve."""
    return train_loop(
        lambda iteration: loss_of(generator_of(seed, iteration)),
        {"network": network},
        network,
        settings,
        checkpoint,
    )


def supervised_loss(
    network: nn.Module,
    data: TrainingData,
    statistics: SubsetStatistics,
    settings: TrainingSettings,
    device: str,
    strong: bool = False,
) -> Callable[[torch.Generator], Tensor]:
    """A function that draws one augmented batch with a generator and returns its weighted BCE."""
    positive_weight = torch.tensor(statistics.positive_weight, device=device)[:, None, None]

    def loss_of(generator: torch.Generator) -> Tensor:
        batch = draw_batch(data, statistics, settings.batch_size, generator, device)
        # What is unsure moves with its mask.
        layers = batch.masks if batch.unsure is None else torch.cat([batch.masks, batch.unsure], dim=1)
        images, layers = augment(batch.images, layers, settings.affine_sigma, generator)
        if strong:
            images, layers = strong_view(images, layers, generator)
        masks, weights = layers, batch.weights
        if batch.unsure is not None:
            masks, unsure = layers.chunk(2, dim=1)
            weights = (1 if weights is None else weights) * (1 - unsure)
        return F.binary_cross_entropy_with_logits(
            network(images).float(), masks, weights, pos_weight=positive_weight
        )

    return loss_of
