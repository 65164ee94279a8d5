"""A trained network as a page that draws masks on images which are dropped on it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from samcarry.annotate.frame import MOST_BYTES, as_base64, page_colours, render_frame
from samcarry.annotate.parts import as_halves
from samcarry.errors import InputError
from samcarry.images import MOST_PIXELS
from samcarry.images.preparation import TEXT_MASKED
from samcarry.networks.unet import Ensemble, UNet
from samcarry.storage.files import write_text

_HALVES_NOTE = (
    "The weights of this network are rounded to 16 bits here, because the page would otherwise be too large: "
    "its masks may differ from those of samcarry predict in a few pixels."
)


def write_model_page(
    path: str | Path,
    network: UNet,
    metadata: Mapping[str, Any],
    *,
    dataset: str,
    most_bytes: int = MOST_BYTES,
) -> None:
    """Write a page whose masks are those of `samcarry predict`, atomically; it holds no names of cases.

    Args:
        path: the HTML file.
        network: a network on the CPU.
        metadata: metadata of its model file, from `load_unet`.
        dataset: name of the data set, as the title.
        most_bytes: largest size of the weights; if they exceed it, they are rounded to 16 bits.

    Raises:
        InputError: the network is an ensemble, judges absent classes or needs images without text, which the
            page cannot do, or it is too large.
    """
    if isinstance(network, Ensemble) or metadata.get("presence") is not None:
        raise InputError(
            f"{path}: the page cannot run an ensemble, and does not judge absent classes; make it of the "
            "model.safetensors of a single network"
        )
    if metadata["preparation"]["version"] == TEXT_MASKED:
        raise InputError(
            f"{path}: the network was trained on images whose text is filled (images.mask_text), which "
            "the page cannot do; use samcarry predict"
        )
    tensors = network.state_dict()
    numbers = torch.cat([tensor.flatten() for tensor in tensors.values()]).float()
    weights = as_base64(numbers.numpy().astype("<f4").tobytes())
    halves = len(weights) > most_bytes
    if halves:
        weights = as_base64(as_halves(numbers))
    if len(weights) > most_bytes:
        raise InputError(
            f"{path}: the network would take {len(weights) // 1_000_000} MB of a page of at most "
            f"{most_bytes // 1_000_000} MB; use samcarry predict, or train with a smaller training.width"
        )
    classes = list(metadata["classes"])
    about = {
        "dataset": dataset,
        "classes": classes,
        "colours": page_colours(len(classes)),
        "mirrored": metadata["preparation"]["mirrored"],
        "look": metadata.get("training_look"),
        "note": _HALVES_NOTE if halves else "",
        "halves": halves,
        "mostPixels": MOST_PIXELS,
        "tensors": [[name, list(tensor.shape)] for name, tensor in tensors.items()],
        **{name: metadata.get(name) for name in ("size", "mean", "std", "window")},
        "depth": network.depth,
    }
    write_text(path, render_frame("model", about=about, weights=weights))
