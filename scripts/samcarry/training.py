"""Supervised training and prediction of the U-Nets f_θ, f_φ and full supervision (paper §3.1)."""

from collections.abc import Callable, Sequence
from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from samcarry.batches import augment, draw_batch, generator_of, normalise
from samcarry.hardware import Precision, autocast, fitting, in_batches, upload
from samcarry.loop import Checkpoint, Step, TrainingSettings, run
from samcarry.shards import TrainingData
from samcarry.subset import SubsetStatistics
from samcarry.unet import UNet


def train(
    data: TrainingData,
    statistics: SubsetStatistics,
    settings: TrainingSettings,
    *,
    seed: int,
    device: str,
    checkpoint: Checkpoint,
    start: UNet | None = None,
) -> tuple[UNet, list[Step]]:
    """Train a U-Net with weighted BCE.

    Args:
        data: N training cases; a batch is drawn from them with replacement.
        statistics: of X^n: normalisation and class weights.
        settings: length, size and learning rate.
        seed: of the weights, the batches and the augmentation.
        device: 'cpu' or 'cuda'.
        checkpoint: what to go on from, and where to save.
        start: network to start from; None = from scratch.

    Returns:
        The network in its last state, in evaluation mode, and its training curve.

    Raises:
        InputError: the loss is not finite.
    """
    torch.manual_seed(seed)
    fresh = UNet(len(statistics.classes), settings.width, settings.depth)
    network = (fresh if start is None else deepcopy(start)).train().to(device)
    loss_of = supervised_loss(network, data, statistics, settings, device)
    curve = run_supervised(loss_of, network, settings, seed, checkpoint)
    return network.eval(), curve


def run_supervised(
    loss_of: Callable[[torch.Generator], Tensor],
    network: nn.Module,
    settings: TrainingSettings,
    seed: int,
    checkpoint: Checkpoint,
) -> list[Step]:
    """Train the one network that changes by a `supervised_loss`; the training curve."""
    return run(
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
) -> Callable[[torch.Generator], Tensor]:
    """A function from a generator to the weighted BCE of one augmented batch."""
    positive_weight = torch.tensor(statistics.positive_weight, device=device)[:, None, None]

    def loss_of(generator: torch.Generator) -> Tensor:
        batch = draw_batch(data, statistics, settings.batch_size, generator, device)
        images, masks = augment(batch.images, batch.masks, settings.affine_sigma, generator)
        return F.binary_cross_entropy_with_logits(
            network(images).float(), masks, batch.weights, pos_weight=positive_weight
        )

    return loss_of


@torch.inference_mode()
def predict(
    network: UNet,
    images: NDArray[np.uint8],
    mean: float,
    std: float,
    precision: Precision = "float32",
    batch_size: int | None = None,
) -> NDArray[np.uint8]:
    """Probabilities times 255 (N, class, H, W) of grey images uint8 (N, H, W).

    Args:
        network: a U-Net in evaluation mode.
        images: N images.
        mean: of the grey values in 0..1, as in training.
        std: their deviation.
        precision: in which the network computes.
        batch_size: images in the first batches (see `hardware.in_batches`); None = what suits the device.
    """
    device = next(network.parameters()).device
    in_precision = autocast(precision, device)

    def answer(batch: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        grey = upload(np.stack(batch), device)
        with in_precision:
            return in_8_bits(network(normalise(grey, mean, std)).float())

    return np.stack(list(in_batches(answer, images, batch_size or fitting(device, cpu=2, gpu=32))))


def in_8_bits(logits: Tensor) -> NDArray[np.uint8]:
    """Probabilities times 255 of logits, of any shape."""
    return (logits.sigmoid() * 255).round().to(torch.uint8).cpu().numpy()
