"""The U-Net of the paper, with the same architecture for f_θ, f_φ and full supervision (§3.1)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samcarry.storage.model_files import read_model, write_model


def normalise_images(images: Tensor, mean: float, std: float) -> Tensor:
    """Grey values uint8 (B, H, W) -> (B, 1, H, W), normalised by mean and deviation of X^n in 0..1."""
    return ((images.float() / 255 - mean) / std)[:, None]


class _TwoConvolutions(nn.Sequential):
    """Two 3×3 convolutions (B, C, H, W) -> (B, C', H, W), each with instance norm and a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.InstanceNorm2d(outputs, affine=True),
            nn.LeakyReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.InstanceNorm2d(outputs, affine=True),
            nn.LeakyReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The layers one after the other; in training, a norm and its ReLU are one function."""
        if not self.training:  # an exported network has the layers themselves
            return super().forward(x)
        layers = iter(self)
        for convolution, norm, relu in zip(layers, layers, layers, strict=True):
            x = _norm_and_relu(convolution(x), cast(nn.InstanceNorm2d, norm), relu)
        return x


def _norm_and_relu(x: Tensor, norm: nn.InstanceNorm2d, relu: nn.Module) -> Tensor:
    """`relu(norm(x))` of x (B, C, H, W), bit for bit, with fewer copies in the backward pass.

    torch's instance norm is a batch norm of (1, B·C, H, W), and returns a view of its result. If a ReLU
    changes a view in place, the backward pass copies the gradient. Here, it changes the result itself.
    """
    samples, channels = x.shape[:2]
    weight, bias = (each.expand(samples, channels).reshape(-1) for each in (norm.weight, norm.bias))
    flat = x.reshape(1, samples * channels, *x.shape[2:])
    normed = F.batch_norm(flat, None, None, weight, bias, training=True, eps=norm.eps)
    return relu(normed).view(x.shape)


class UNet(nn.Module):
    """A U-Net with one logit per class, so that classes may overlap.

    It has `width` channels at full resolution, which double at each of `depth` levels. 64 and 4 give the
    paper's 31 million parameters.
    """

    def __init__(self, classes: int, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.width, self.depth = width, depth
        channels = [width * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(
            _TwoConvolutions(inputs, outputs)
            for inputs, outputs in zip([1, *channels], channels, strict=False)
        )
        self.upsampling = nn.ModuleList(
            nn.ConvTranspose2d(below, here, 2, stride=2) for here, below in pairwise(channels)
        )
        self.decoder = nn.ModuleList(_TwoConvolutions(2 * here, here) for here in channels[:-1])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images (B, 1, H, W), H and W multiples of 2**depth -> logits (B, C, H, W)."""
        skips = []
        for level, convolutions in enumerate(self.encoder):
            x = convolutions(x if level == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        for level in reversed(range(self.depth)):
            x = torch.cat([skips[level], self.upsampling[level](x)], dim=1)
            x = self.decoder[level](x)
        return self.head(x)


class Ensemble(UNet):
    """U-Nets of the same shape and several seeds that predict as one: the mean of their probabilities.

    It can take the place of a U-Net wherever one predicts.
    """

    def __init__(self, members: Sequence[UNet]) -> None:
        nn.Module.__init__(self)
        self.members = nn.ModuleList(members)
        self.width, self.depth = members[0].width, members[0].depth

    @property
    def first(self) -> UNet:
        """The first member, whose features stand for those of all."""
        return cast(UNet, self.members[0])

    def forward(self, x: Tensor) -> Tensor:
        """As `UNet.forward`; the logits of the mean probability."""
        logits = torch.stack([member(x) for member in self.members])
        return F.logsigmoid(logits).logsumexp(0) - F.logsigmoid(-logits).logsumexp(0)


def save_unet(path: str | Path, network: UNet, metadata: Mapping[str, Any]) -> None:
    """Write the network as a model file, atomically.

    `metadata` holds what prediction needs besides the weights: classes, size, mean, std, and provenance.
    """
    shape = {"width": network.width, "depth": network.depth}
    if isinstance(network, Ensemble):
        shape["members"] = len(network.members)
    write_model(path, network.state_dict(), {**metadata, **shape})


def load_unet(path: str | Path, device: str = "cpu", cure: str | None = None) -> tuple[UNet, dict[str, Any]]:
    """The network of a model file, in evaluation mode, and its metadata.

    `cure` says what to do about a bad file, see `read_model`.

    Raises:
        InputError: the file is missing, damaged or not a U-Net of samcarry.
    """

    def build(weights: dict[str, Tensor], metadata: dict[str, Any]) -> UNet:
        if metadata["depth"] > len(weights):
            raise ValueError(f"a depth of {metadata['depth']!r:.20} with {len(weights)} weights")
        # On the meta device a network needs no memory, whatever size the file declares.
        shape = (len(metadata["classes"]), metadata["width"], metadata["depth"])
        count = metadata.get("members", 1)
        if not 1 <= count <= len(weights):
            raise ValueError(f"{count!r:.20} members with {len(weights)} weights")
        with torch.device("meta"):
            members = [UNet(*shape) for _ in range(count)]
            network = Ensemble(members) if "members" in metadata else members[0]
        network.load_state_dict({name: weight.float() for name, weight in weights.items()}, assign=True)
        return network

    network, metadata = read_model(path, "U-Net", build, cure)
    # Not inside `build`: a GPU that is out of memory does not mean a damaged file.
    return network.to(device).eval(), metadata
