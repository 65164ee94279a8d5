"""LR-ASPP on SAM's frozen image encoder: what its embedding alone is worth (paper §3.1, ref. [10]).

The encoder stays as it is. Its embedding is the low-level input of torchvision's LR-ASPP head; two residual
blocks make the high-level one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock
from torchvision.models.segmentation.lraspp import LRASPPHead
from torchvision.ops import Conv2dNormActivation

from samcarry.networks.batches import affine_grid
from samcarry.networks.statistics import SubsetStatistics
from samcarry.networks.supervised import run_supervised, supervised_loss
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, Step, TrainingSettings
from samcarry.runtime.device import autocast, fitting
from samcarry.sam.encoder import encode
from samcarry.sam.inputs import fill_square, to_sam_input
from samcarry.storage.model_files import read_model, write_model

INTER_CHANNELS = 64


class SamLraspp(nn.Module):
    """Two residual blocks and an LR-ASPP head, with one logit a class, so that classes may overlap.

    `channels` are the embedding's (256 for the official SAMs), `side` is that of SAM's square in pixels.
    """

    def __init__(self, classes: int, channels: int, side: int) -> None:
        super().__init__()
        self.channels, self.side = channels, side
        high = 2 * channels
        shortcut = Conv2dNormActivation(channels, high, 1, stride=2, activation_layer=None)
        self.blocks = nn.Sequential(
            BasicBlock(channels, high, stride=2, downsample=shortcut), BasicBlock(high, high)
        )
        self.head = LRASPPHead(channels, high, classes, INTER_CHANNELS)

    def forward(self, embedding: Tensor) -> Tensor:
        """Embeddings (B, channels, g, g) -> logits on their grid (B, C, g, g)."""
        return self.head({"low": embedding, "high": self.blocks(embedding)})


class OnSam(nn.Module):
    """Normalised images (B, 1, H, W) -> logits (B, C, H, W), by SAM's frozen encoder and `network`."""

    def __init__(self, sam: Sam, network: SamLraspp, statistics: SubsetStatistics) -> None:
        super().__init__()
        self.sam, self.network = sam, network
        self.mean, self.std = statistics.mean, statistics.std

    def forward(self, images: Tensor) -> Tensor:
        """SAM wants grey values as they are stored: undo what normalised them."""
        grey = ((images[:, 0] * self.std + self.mean) * 255).round().clamp(0, 255)
        embedding = embed_batch(self.sam, grey.to(torch.uint8).cpu().numpy())
        height, width = images.shape[2:]
        return on_image(self.network(embedding.float()), self.network.side, (height, width))


@torch.no_grad()
def embed_batch(sam: Sam, images: NDArray[np.uint8]) -> Tensor:
    """Embeddings (B, C, g, g) of grey images (B, H, W), float16 as `sam.embed` has them, on SAM's device."""
    inputs = to_sam_input(sam, [fill_square(sam, image) for image in images])
    # On a CPU the attention of a ViT-H takes some 3 GB an image.
    at_once = fitting(inputs.device, cpu=2, gpu=16)
    parts = [encode(sam.image_encoder, part).half() for part in inputs.split(at_once)]
    with autocast("float32", inputs.device):  # on a CPU autocast refuses to join float16
        return torch.cat(parts)


def on_image(logits: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """Logits at the pixels of the prepared image (B, C, height, width).

    The image fills the upper left of SAM's square as far as its proportions allow; below or right of it lies
    padding. As SAM's `postprocess_masks`, but in one step, without an array of the square's size.

    Args:
        logits: on the grid that covers the square (B, C, g, g).
        side: of the square, in pixels.
        size: (height, width) of the prepared image.
    """
    rows, columns = (taken / side for taken in ResizeLongestSide.get_preprocess_shape(*size, side))
    # In units where the square, and the image as well, reaches from -1 to 1.
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
    """Train blocks and head by the same routine as the U-Nets (paper §3.1).

    Each iteration warps images and masks and encodes the warped images anew. `settings.width` and
    `settings.depth` do not matter here.

    Args:
        data: N training cases; a batch is drawn from them with replacement.
        statistics: of X^n: class weights, and the mean grey that a warp brings in from outside.
        settings: length, batch size and learning rate.
        sam: its image encoder is used in evaluation mode, and not changed.
        seed: of the weights, the batches and the augmentation.
        device: 'cpu' or 'cuda', where `sam` is.
        checkpoint: what to go on from, and where to save.

    Returns:
        Blocks and head in their last state, in evaluation mode, and the training curve.

    Raises:
        InputError: the loss is not finite.
    """
    sam.eval()
    torch.manual_seed(seed)
    side = sam.image_encoder.img_size
    network = SamLraspp(len(statistics.classes), sam.prompt_encoder.embed_dim, side).train().to(device)
    loss_of = supervised_loss(OnSam(sam, network, statistics), data, statistics, settings, device)
    curve = run_supervised(loss_of, network, settings, seed, checkpoint)
    return network.eval(), curve


def save_lraspp(path: str | Path, network: SamLraspp, about: Mapping[str, Any]) -> None:
    """Write blocks and head, atomically.

    `about` is what a user needs beside the weights: classes, size, mean, std, which SAM, what made it.
    """
    shape = {"embed_dim": network.channels, "side": network.side}
    write_model(path, network.state_dict(), {**about, **shape})


def load_lraspp(path: str | Path, device: str = "cpu") -> tuple[SamLraspp, dict[str, Any]]:
    """Blocks and head, in evaluation mode, and their `about`.

    Raises:
        InputError: the file is missing, damaged or no LR-ASPP of samcarry.
    """

    def build(weights: dict[str, Tensor], about: dict[str, Any]) -> SamLraspp:
        network = SamLraspp(len(about["classes"]), about["embed_dim"], about["side"])
        network.load_state_dict(weights)
        return network

    network, about = read_model(path, "LR-ASPP", build)
    # Not within `build`: a GPU without memory is no damaged file.
    return network.to(device).eval(), about
