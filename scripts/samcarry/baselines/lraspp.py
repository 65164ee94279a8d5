"""LR-ASPP on SAM's frozen image encoder (paper §3.1, ref. [10]).

The method tests what SAM's embedding is worth without prompts. The encoder is not trained. Its embedding is
the low-level input of torchvision's LR-ASPP head; two residual blocks compute the high-level input from it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock
from torchvision.models.segmentation.lraspp import LRASPPHead
from torchvision.ops import Conv2dNormActivation

from samcarry.networks.augmentation import affine_grid
from samcarry.networks.subset_statistics import SubsetStatistics
from samcarry.networks.supervised import run_supervised, supervised_loss
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, Step, TrainingSettings
from samcarry.runtime.device import autocast, batch_size_for
from samcarry.sam.crops import fitted
from samcarry.sam.encoder import encode_images
from samcarry.sam.inputs import fill_square, squeezes, to_sam_input
from samcarry.sam.official import Sam
from samcarry.storage.model_files import read_model, write_model

INTER_CHANNELS = 64


class SamLraspp(nn.Module):
    """Two residual blocks and an LR-ASPP head with one logit per class, so that classes may overlap.

    `channels` is the number of channels of the embedding's coarse level (256 for the official SAMs); `side`
    is the side of SAM's square input in pixels, and `squeezed` says whether both sides of an image fill it.
    """

    def __init__(self, classes: int, channels: int, side: int, *, squeezed: bool = False) -> None:
        super().__init__()
        self.channels, self.side, self.squeezed = channels, side, squeezed
        high = 2 * channels
        shortcut = Conv2dNormActivation(channels, high, 1, stride=2, activation_layer=None)
        self.blocks = nn.Sequential(
            BasicBlock(channels, high, stride=2, downsample=shortcut), BasicBlock(high, high)
        )
        self.head = LRASPPHead(channels, high, classes, INTER_CHANNELS)

    def forward(self, embedding: Tensor) -> Tensor:
        """Embeddings (B, channels, g, g) -> logits on their grid (B, C, g, g); finer levels are not used."""
        embedding = embedding[:, : self.channels]
        return self.head({"low": embedding, "high": self.blocks(embedding)})


class SegmentBySam(nn.Module):
    """SAM's frozen encoder and `network`: normalised images (B, 1, H, W) -> logits (B, C, H, W)."""

    def __init__(self, sam: Sam, network: SamLraspp, statistics: SubsetStatistics) -> None:
        super().__init__()
        self.sam, self.network = sam, network
        self.mean, self.std = statistics.mean, statistics.std

    def forward(self, images: Tensor) -> Tensor:
        """Undo the normalisation, as SAM's encoder expects 8-bit grey values, and segment the images."""
        grey = ((images[:, 0] * self.std + self.mean) * 255).round().clamp(0, 255)
        embedding = embed_batch(self.sam, grey.to(torch.uint8).cpu().numpy())
        height, width = images.shape[2:]
        return resample_to_image(self.network(embedding.float()), self.network, (height, width))


@torch.no_grad()
def embed_batch(sam: Sam, images: NDArray[np.uint8]) -> Tensor:
    """Embeddings (B, C, g, g) of grey images (B, H, W), float16 as `embedding.embed`, on SAM's device."""
    inputs = to_sam_input(sam, [fill_square(sam, image) for image in images])
    # On a CPU the attention of ViT-H needs about 3 GB per image.
    at_once = batch_size_for(inputs.device, cpu=2, gpu=16)
    parts = [encode_images(sam.image_encoder, part).half() for part in inputs.split(at_once)]
    with autocast("float32", inputs.device):  # on a CPU autocast refuses to concatenate float16
        return torch.cat(parts)


def resample_to_image(logits: Tensor, network: SamLraspp, size: tuple[int, int]) -> Tensor:
    """Resample logits from the grid of SAM's square input to the prepared image (B, C, height, width).

    The image is in the upper left of the square, with its proportions unchanged; the rest of the square,
    below it or to its right, is padding. A squeezed image fills the square. SAM's `postprocess_masks` does
    the same in two steps, with an array of the square's size in between.

    Args:
        logits: logits on the grid that covers the square (B, C, g, g).
        network: says how the image is in the square.
        size: (height, width) of the prepared image.
    """
    side = network.side
    filled = (side, side) if network.squeezed else fitted(*size, side)
    rows, columns = (length / side for length in filled)
    # Coordinates of the square and of the image both run from -1 to 1.
    theta = torch.tensor([[columns, 0, columns - 1], [0, rows, rows - 1]], device=logits.device)
    grid = affine_grid(theta.expand(len(logits), 2, 3), [*logits.shape[:2], *size])
    return F.grid_sample(logits, grid, mode="bilinear", padding_mode="border", align_corners=False)


def train_lraspp(
    data: TrainingData,
    statistics: SubsetStatistics,
    settings: TrainingSettings,
    sam: Sam,
    *,
    seed: int,
    device: str,
    checkpoint: Checkpoint,
) -> tuple[SamLraspp, list[Step]]:
    """Train residual blocks and head with the same loop as the U-Nets (paper §3.1).

    Each iteration warps images and masks and encodes the warped images again. `settings.width` and
    `settings.depth` are not used.

    Args:
        data: N training cases; each batch is drawn from them with replacement.
        statistics: class weights of X^n, and its mean grey value, which fills pixels from outside the image.
        settings: length, batch size and learning rate.
        sam: a SAM whose image encoder is used in evaluation mode and not changed.
        seed: seed of the weights, the batches and the augmentation.
        device: 'cpu' or 'cuda', the device of `sam`.
        checkpoint: where to save the training and resume it from.

    Returns:
        Blocks and head after the last iteration, in evaluation mode, and the training curve.

    Raises:
        InputError: the loss is not finite.
    """
    sam.eval()
    torch.manual_seed(seed)
    side, channels = sam.image_encoder.img_size, sam.prompt_encoder.embed_dim
    network = SamLraspp(len(statistics.classes), channels, side, squeezed=squeezes(sam))
    network = network.train().to(device)
    loss_of = supervised_loss(SegmentBySam(sam, network, statistics), data, statistics, settings, device)
    curve = run_supervised(loss_of, network, settings, seed, checkpoint)
    return network.eval(), curve


def save_lraspp(path: str | Path, network: SamLraspp, metadata: Mapping[str, Any]) -> None:
    """Write blocks and head as a model file, atomically.

    `metadata` holds what prediction needs besides the weights: classes, size, mean, std, the SAM, provenance.
    """
    shape = {"embed_dim": network.channels, "side": network.side}
    if network.squeezed:
        shape["squeezed"] = True
    write_model(path, network.state_dict(), {**metadata, **shape})


def load_lraspp(path: str | Path, device: str = "cpu") -> tuple[SamLraspp, dict[str, Any]]:
    """Blocks and head of a model file, in evaluation mode, and their metadata.

    Raises:
        InputError: the file is missing, damaged or not an LR-ASPP of samcarry.
    """

    def build(weights: dict[str, Tensor], metadata: dict[str, Any]) -> SamLraspp:
        squeezed = metadata.get("squeezed", False)
        network = SamLraspp(
            len(metadata["classes"]), metadata["embed_dim"], metadata["side"], squeezed=squeezed
        )
        network.load_state_dict(weights)
        return network

    network, metadata = read_model(path, "LR-ASPP", build)
    # Not inside `build`: a GPU that is out of memory does not mean a damaged file.
    return network.to(device).eval(), metadata
