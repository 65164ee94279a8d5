"""Trained models in any format, ready to predict: samcarry's model files and ONNX."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from samcarry.data.contract import is_class_name
from samcarry.errors import InputError
from samcarry.runtime.processes import usable_cpus
from samcarry.storage.files import sha256

ABOUT = "samcarry"
"""The entry of the model's metadata that holds all of what is told, as JSON."""


def load_onnx(
    path: str | Path,
) -> tuple[Callable[[NDArray[np.uint8]], NDArray[np.uint8]], dict[str, Any]]:
    """A function from grey images to probabilities, as `taken_models.Model.predict`, and what is told.

    Raises:
        InputError: the file is missing, damaged or not from samcarry.
    """
    session, about = open_onnx(path)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.rint(run_onnx(session, images) * 255).astype(np.uint8)

    return predict, about


def open_onnx(path: str | Path) -> tuple[onnxruntime.InferenceSession, dict[str, Any]]:
    """An ONNX file, ready to run on the CPU, and what its metadata tell; errors as of `load_onnx`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cpus()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return session, json.loads(session.get_modelmeta().custom_metadata_map[ABOUT])
    except Exception as error:  # onnxruntime raises types of its own for each kind of damage
        what = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"{path}: this is no ONNX model of samcarry, or it is damaged ({what}); export it again"
        ) from None


def run_onnx(session: onnxruntime.InferenceSession, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities (N, class, height, width), 0..1, of grey images (N, height, width), one at a time."""
    parts = [session.run(["probabilities"], {"images": image[None]})[0] for image in images]
    return np.concatenate(parts)


Predict = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
_CURE = "copy it again from where it was trained, or ask for another copy"


@dataclass(frozen=True)
class Model:
    """A trained network and what it takes to feed it.

    Attributes:
        predict: grey images uint8 (N, height, width) of `size` -> probabilities times 255, uint8
            (N, class, height, width).
        classes: their names.
        size: height and width that images are resized to, in pixels.
        mean: of the training images' grey values, 0..1.
        std: likewise their standard deviation.
        window: percentiles of grey values, see `images.read_grey`; None = the full range.
        sha256: of the model file.
    """

    predict: Predict
    classes: tuple[str, ...]
    size: tuple[int, int]
    mean: float
    std: float
    window: tuple[float, float] | None
    sha256: str


def load_model(path: str | Path, device: str = "auto") -> Model:
    """Load a model.safetensors or, by onnxruntime, a model.onnx of samcarry.

    Args:
        path: the file.
        device: 'cpu', 'cuda', or 'auto', which takes a GPU if there is one. An ONNX model runs on the CPU.

    Raises:
        InputError: the file is missing, damaged or no network of samcarry; the device is not there.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such model file; name a model.safetensors")
    run, about, depth = _load_onnx(path, device) if path.suffix == ".onnx" else _load_torch(path, device)
    try:
        height, width = (int(number) for number in about["size"])
        window = about.get("window")
        model = Model(
            run,
            tuple(about["classes"]),
            (height, width),
            float(about["mean"]),
            float(about["std"]),
            None if window is None else (float(window[0]), float(window[1])),
            sha256(path),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        raise InputError(f"{path}: does not tell its size, mean and std; {_CURE}") from None
    step = 2**depth
    if min(height, width) < 1 or height % step or width % step or not model.std > 0:
        raise InputError(f"{path}: its size {height} x {width} or std {model.std:g} cannot be; {_CURE}")
    # Classes become names of files, and a model file may come from anywhere.
    if bad := [name for name in model.classes if not (isinstance(name, str) and is_class_name(name))]:
        raise InputError(f"{path}: a class cannot be called {bad[0]!r}; name its classes otherwise")
    return model


def _load_torch(path: Path, device: str) -> tuple[Predict, dict[str, Any], int]:
    """A U-Net's `predict`, its `about` and its depth."""
    import torch  # not needed by an ONNX model

    from samcarry.networks.prediction import predict
    from samcarry.networks.unet import load_unet

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {device}: there is no GPU that torch can use; take --device cpu")
    network, about = load_unet(path, cure=_CURE)
    network = network.to(device)
    return (
        lambda images: predict(network, images, float(about["mean"]), float(about["std"])),
        about,
        network.depth,
    )


def _load_onnx(path: Path, device: str) -> tuple[Predict, dict[str, Any], int]:
    from samcarry.predict.models import load_onnx

    if device.startswith("cuda"):
        raise InputError(f"device {device}: an ONNX model runs on the CPU; take --device cpu")
    run, about = load_onnx(path)
    return run, about, int(about.get("depth", 0))
