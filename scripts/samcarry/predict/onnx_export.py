"""A U-Net written as ONNX, and the proof that it gives the same masks."""

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from samcarry import __version__
from samcarry.errors import InputError
from samcarry.networks.unet import UNet, normalise
from samcarry.predict.models import ABOUT, open_onnx, run_onnx
from samcarry.storage.files import atomic

_TOLD = ("classes", "size", "mean", "std", "window", "width", "depth")
CLOSE = 1e-3
"""Probabilities of the two may differ by this much; they do by some 1e-6."""

ON_THE_EDGE = 1e-4
"""As near to 0.5 rounding alone decides on which side of it a pixel lies."""


class _WithNormalisation(nn.Module):
    """Grey values uint8 (B, H, W) -> probabilities (B, C, H, W)."""

    def __init__(self, network: UNet, mean: float, std: float) -> None:
        super().__init__()
        self.network, self.mean, self.std = network, mean, std

    def forward(self, images: Tensor) -> Tensor:
        return self.network(normalise(images, self.mean, self.std)).sigmoid()


def write_onnx(path: str | Path, network: UNet, about: Mapping[str, Any]) -> None:
    """Write a network as ONNX, atomically.

    Its input `images` is uint8 (batch, height, width), grey values 0..255 at network size, its output
    `probabilities` float32 (batch, class, height, width). The normalisation is inside. Classes, size, mean,
    std and window are in the metadata, each under its name and all under 'samcarry', as JSON.

    Args:
        path: the file.
        network: on the CPU.
        about: of `load_unet`.
    """
    model = _WithNormalisation(network, about["mean"], about["std"]).eval()
    height, width = about["size"]
    for talker in ("onnxscript", "onnx_ir", "torch.onnx"):
        logging.getLogger(talker).setLevel(logging.WARNING)
    with atomic(path) as private:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of torch's own old ways
            torch.onnx.export(
                model,
                (torch.zeros(2, height, width, dtype=torch.uint8),),
                str(private),
                input_names=["images"],
                output_names=["probabilities"],
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        written = onnx.load(private)
        written.producer_name, written.producer_version = "samcarry", __version__
        told = {key: about.get(key) for key in _TOLD}
        entries = {key: json.dumps(value, ensure_ascii=False) for key, value in told.items()}
        entries[ABOUT] = json.dumps(told, ensure_ascii=False)
        del written.metadata_props[:]
        onnx.helper.set_model_props(written, entries)
        onnx.save(written, private)


def check_onnx(
    path: str | Path, network: UNet, about: Mapping[str, Any], images: NDArray[np.uint8]
) -> tuple[int, float]:
    """Compare the masks of an ONNX file and of its network.

    Args:
        path: the ONNX file.
        network: on the CPU.
        about: of `load_unet`.
        images: grey values (N, height, width) at network size.

    Returns:
        How many pixels differ, all of them on the edge of 0.5, and the greatest difference of
        probabilities.

    Raises:
        InputError: a mask differs where rounding cannot be why.
    """
    model = _WithNormalisation(network, about["mean"], about["std"]).eval()
    session, _ = open_onnx(path)
    differing, greatest = 0, 0.0
    for image in images:
        with torch.inference_mode():
            ours = model(torch.from_numpy(image[None].copy())).numpy()
        theirs = run_onnx(session, image[None])
        apart = np.abs(ours - theirs)
        other_mask = (ours > 0.5) != (theirs > 0.5)
        greatest = max(greatest, float(apart.max()))
        differing += int(other_mask.sum())
        if greatest > CLOSE or (np.abs(ours[other_mask] - 0.5) > ON_THE_EDGE).any():
            raise InputError(
                f"{path}: gives other masks than its network (probabilities differ by {greatest:.2g}); "
                "use model.safetensors, and please report it with the versions in the log"
            )
    return differing, greatest
