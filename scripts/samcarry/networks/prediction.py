"""Probability maps of a trained U-Net."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samcarry.networks.unet import UNet, normalise_images
from samcarry.runtime.batching import in_batches
from samcarry.runtime.device import Precision, autocast, batch_size_for, upload


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
        mean: mean of the grey values in 0..1, as in training.
        std: their standard deviation.
        precision: number format in which the network computes.
        batch_size: images in the first batches (see `batching.in_batches`); None = suitable for the device.
    """
    device = next(network.parameters()).device
    in_precision = autocast(precision, device)

    def predict_batch(batch: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        grey = upload(np.stack(batch), device)
        with in_precision:
            return in_8_bits(network(normalise_images(grey, mean, std)).float())

    at_once = batch_size or batch_size_for(device, cpu=2, gpu=32)
    return np.stack(list(in_batches(predict_batch, images, at_once)))


def in_8_bits(logits: Tensor) -> NDArray[np.uint8]:
    """Probabilities times 255 of logits of any shape."""
    return (logits.sigmoid() * 255).round().to(torch.uint8).cpu().numpy()
