"""Features of images in the deepest layer of a U-Net, for comparing images."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from samcarry.networks.unet import Ensemble, UNet, normalise_images
from samcarry.runtime.batching import in_batches
from samcarry.runtime.device import batch_size_for, upload


@torch.inference_mode()
def features_of(network: UNet, images: NDArray[np.uint8], mean: float, std: float) -> NDArray[np.float64]:
    """The mean over the image of each channel below the last halving, (N, channel).

    Args:
        network: a U-Net in evaluation mode; of an ensemble, its first member counts.
        images: grey images (N, H, W).
        mean: mean of the grey values in 0..1, as in training.
        std: their standard deviation.
    """
    device = next(network.parameters()).device
    encoder = network.first.encoder if isinstance(network, Ensemble) else network.encoder

    def features(batch: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        x = normalise_images(upload(np.stack(batch), device), mean, std)
        for level, convolutions in enumerate(encoder):
            x = convolutions(x if level == 0 else F.max_pool2d(x, 2))
        return x.mean(dim=(2, 3)).double().cpu().numpy()

    return np.stack(list(in_batches(features, images, batch_size_for(device, cpu=2, gpu=32))))
