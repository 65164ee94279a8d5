"""Running an ONNX file of samcarry, without torch: grey values in, probabilities out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.files import usable_cpus

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
