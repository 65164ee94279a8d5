"""Export of a U-Net as ONNX, and a check that the ONNX file gives the same masks."""

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
from samcarry.networks.unet import UNet, normalise_images
from samcarry.predict.models import METADATA, open_onnx, run_onnx
from samcarry.storage.files import atomic

_EXPORTED = (
    *("classes", "size", "mean", "std", "window", "preparation", "training_look", "width", "depth"),
    *("confidence", "measurements", "presence"),
)
TOLERANCE = 1e-3
"""Largest accepted difference between probabilities; typical differences are about 1e-6."""

EDGE = 1e-4
"""Pixels whose probability is this close to 0.5 may differ between the masks because of rounding."""


class _WithNormalisation(nn.Module):
    """Grey values uint8 (B, H, W) -> probabilities (B, C, H, W)."""

    def __init__(self, network: UNet, mean: float, std: float) -> None:
        super().__init__()
        self.network, self.mean, self.std = network, mean, std

    def forward(self, images: Tensor) -> Tensor:
        return self.network(normalise_images(images, self.mean, self.std)).sigmoid()


def write_onnx(path: str | Path, network: UNet, metadata: Mapping[str, Any]) -> None:
    """Write a network as ONNX, atomically.

    The input `images` is uint8 (batch, height, width), grey values 0..255 at network size. The output
    `probabilities` is float32 (batch, class, height, width). Normalisation is part of the model. The metadata
    hold classes, size, mean, std, window, preparation, training_look, width, depth, confidence and
    measurements, each under its name and all under 'samcarry', as JSON.

    Args:
        path: the file.
        network: a network on the CPU.
        metadata: metadata of its model file, from `load_unet`.
    """
    model = _WithNormalisation(network, metadata["mean"], metadata["std"]).eval()
    height, width = metadata["size"]
    for name in ("onnxscript", "onnx_ir", "torch.onnx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with atomic(path) as private:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # deprecations inside torch
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
        _drop_traces(written.graph)
        written.producer_name, written.producer_version = "samcarry", __version__
        exported = {key: metadata.get(key) for key in _EXPORTED}
        entries = {key: json.dumps(value, ensure_ascii=False) for key, value in exported.items()}
        entries[METADATA] = json.dumps(exported, ensure_ascii=False)
        del written.metadata_props[:]
        onnx.helper.set_model_props(written, entries)
        onnx.save(written, private)


def _drop_traces(graph: onnx.GraphProto) -> None:
    """Remove what torch notes about the code of each node, with the paths of this machine."""
    parts = [graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for part in parts:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def check_onnx(
    path: str | Path, network: UNet, metadata: Mapping[str, Any], images: NDArray[np.uint8]
) -> tuple[int, float]:
    """Compare the masks of an ONNX file with those of its network.

    Args:
        path: the ONNX file.
        network: the network, on the CPU.
        metadata: metadata of its model file, from `load_unet`.
        images: grey values (N, height, width) at network size.

    Returns:
        The number of mask pixels that differ, all with a probability close to 0.5, and the largest
        difference between probabilities.

    Raises:
        InputError: the masks differ by more than rounding explains.
    """
    model = _WithNormalisation(network, metadata["mean"], metadata["std"]).eval()
    session, _ = open_onnx(path)
    differing, largest = 0, 0.0
    for image in images:
        with torch.inference_mode():
            ours = model(torch.from_numpy(image[None].copy())).numpy()
        theirs = run_onnx(session, image[None])
        flipped = (ours > 0.5) != (theirs > 0.5)
        largest = max(largest, float(np.abs(ours - theirs).max()))
        differing += int(flipped.sum())
        if largest > TOLERANCE or (np.abs(ours[flipped] - 0.5) > EDGE).any():
            raise InputError(
                f"{path}: its masks differ from those of its network (probabilities by up to {largest:.2g}); "
                "use model.safetensors instead, and please report this with the versions in the log"
            )
    return differing, largest
