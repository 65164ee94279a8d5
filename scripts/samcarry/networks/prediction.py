"""Probability maps of a trained U-Net."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samcarry.networks.unet import UNet, normalise
from samcarry.runtime.batching import in_batches
from samcarry.runtime.device import Precision, autocast, fitting, upload


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
