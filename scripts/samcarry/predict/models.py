"""Loading trained models, from model.safetensors or model.onnx, for predictions on new images."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samcarry.confidence.fitted import Confidence, read_confidence
from samcarry.data.contract import is_class_name
from samcarry.errors import InputError
from samcarry.images.preparation import SIDES, TEXT_MASKED, VERSION
from samcarry.images.training_look import TrainingLook, read_look
from samcarry.measure.expressions import parse_expressions
from samcarry.presence.judgement import Presence, read_presence
from samcarry.runtime.processes import usable_cpus
from samcarry.storage.files import sha256
from samcarry.storage.reading import reading

if TYPE_CHECKING:
    import onnxruntime

Predict = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
Features = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
UNKNOWN = "unknown"
"""`Model.mirrored` of a model file that an older samcarry wrote."""

METADATA = "samcarry"
"""The entry of an ONNX file's metadata that holds all metadata as JSON."""

_CURE = "copy it again from where it was trained, or ask for another copy"


@dataclass(frozen=True)
class Model:
    """A trained network with the preprocessing that it needs, as returned by `load_model`.

    Attributes:
        predict: a function from grey images uint8 (N, height, width) of `size` to probabilities times 255,
            uint8 (N, class, height, width). `predict_masks` accepts images of any size.
        classes: class names.
        size: height and width in pixels to which images are resized.
        mean: mean grey value of the training images, 0..1.
        std: standard deviation of their grey values, 0..1.
        window: percentiles of the grey values that become black and white; None means the full range.
        sha256: SHA-256 of the model file.
        mirrored: 'right' or 'left', the side whose images were mirrored in training, so that new ones have to
            be mirrored too; None if none was; UNKNOWN if the file does not say.
        training_look: what its training images look like; None if the file does not say.
        confidence: how sure it may be; None if it was not calibrated.
        measurements: measurements between classes, as the key `measurements` of a config.
        features: a function from grey images as for `predict` to features of the deepest layer (N, channel);
            None for an ONNX model, which gives probabilities only.
        presence: how to judge whether a class is there; None if the masks of all classes are kept.
        text_masked: whether lines of text were filled in its training images, so that they are filled in new
            ones too.
    """

    predict: Predict
    classes: tuple[str, ...]
    size: tuple[int, int]
    mean: float
    std: float
    window: tuple[float, float] | None
    sha256: str
    mirrored: str | None = None
    training_look: TrainingLook | None = None
    confidence: Confidence | None = None
    features: Features | None = None
    measurements: Mapping[str, Any] = field(default_factory=dict)
    presence: Presence | None = None
    text_masked: bool = False


def load_model(path: str | Path, device: str = "auto", threads: int | None = None) -> Model:
    """Load a trained model from a model.safetensors or model.onnx of samcarry.

    Args:
        path: the model file.
        device: 'cpu', 'cuda', or 'auto', which uses a GPU if there is one. ONNX models run on the CPU.
        threads: of the CPU; None = as torch is set, for ONNX models all usable CPUs.

    Raises:
        InputError: the file is missing, damaged or not a model of samcarry, or there is no such device.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: model file not found; give the path of a model.safetensors or model.onnx")
    predict, features, metadata, depth = (
        _load_onnx(path, device, threads) if path.suffix == ".onnx" else _load_torch(path, device, threads)
    )
    try:
        height, width = (int(number) for number in metadata["size"])
        window = metadata.get("window")
        model = Model(
            predict,
            tuple(metadata["classes"]),
            (height, width),
            float(metadata["mean"]),
            float(metadata["std"]),
            None if window is None else (float(window[0]), float(window[1])),
            sha256(path),
            _mirrored_side(metadata, path),
            None if metadata.get("training_look") is None else read_look(metadata["training_look"]),
            _confidence(metadata),
            features,
            _measurements(metadata, path),
            _presence(metadata),
            (metadata.get("preparation") or {}).get("version") == TEXT_MASKED,
        )
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        raise InputError(
            f"{path}: its metadata lack a valid size, mean or std, or are damaged; {_CURE}"
        ) from None
    step = 2**depth
    if min(height, width) < 1 or height % step or width % step or not model.std > 0:
        raise InputError(f"{path}: its size {height} x {width} or std {model.std:g} is invalid; {_CURE}")
    # Class names become file names, and a model file may come from anyone.
    if bad := [name for name in model.classes if not (isinstance(name, str) and is_class_name(name))]:
        raise InputError(f"{path}: {bad[0]!r} is not a valid class name; rename the class")
    return model


def _mirrored_side(metadata: dict[str, Any], path: Path) -> str | None:
    """The side whose images were mirrored; also check that we prepare images as the model's were prepared."""
    entry = metadata.get("preparation")
    if entry is None:
        return UNKNOWN
    if entry["version"] not in (VERSION, TEXT_MASKED):
        raise InputError(
            f"{path}: its training images were prepared by rules of another version of samcarry "
            f"({entry['version']!r}, not {VERSION}); use the version that trained it"
        )
    if entry["mirrored"] not in (None, *SIDES):
        raise ValueError(f"mirrored: {entry['mirrored']!r}")
    side: str | None = entry["mirrored"]
    return side


def _confidence(metadata: dict[str, Any]) -> Confidence | None:
    entry = metadata.get("confidence")
    return None if entry is None else read_confidence(entry, len(metadata["classes"]))


def _presence(metadata: dict[str, Any]) -> Presence | None:
    entry = metadata.get("presence")
    return None if entry is None else read_presence(entry, len(metadata["classes"]))


def _measurements(metadata: dict[str, Any], path: Path) -> dict[str, Any]:
    block: dict[str, Any] = metadata.get("measurements") or {}
    parse_expressions(block, metadata["classes"], f"{path}: measurements")
    return block


def _load_torch(
    path: Path, device: str, threads: int | None
) -> tuple[Predict, Features | None, dict[str, Any], int]:
    """`Model.predict` and `Model.features` of a U-Net, its metadata and its depth."""
    import torch  # here, because an ONNX model does not need it

    from samcarry.networks.features import features_of
    from samcarry.networks.prediction import predict
    from samcarry.networks.unet import load_unet

    if threads is not None:
        torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {device}: torch finds no GPU; use --device cpu")
    network, metadata = load_unet(path, cure=_CURE)
    network = network.to(device)
    return (
        lambda images: predict(network, images, float(metadata["mean"]), float(metadata["std"])),
        lambda images: features_of(network, images, float(metadata["mean"]), float(metadata["std"])),
        metadata,
        network.depth,
    )


def _load_onnx(
    path: Path, device: str, threads: int | None
) -> tuple[Predict, Features | None, dict[str, Any], int]:
    """As `_load_torch`, without features."""
    if device.startswith("cuda"):
        raise InputError(f"device {device}: ONNX models run on the CPU; use --device cpu")
    predict, metadata = load_onnx(path, threads)
    return predict, None, metadata, int(metadata.get("depth", 0))


def load_onnx(path: str | Path, threads: int | None = None) -> tuple[Predict, dict[str, Any]]:
    """The `Model.predict` of an ONNX file, and its metadata; `threads` as in `load_model`.

    Raises:
        InputError: the file is missing, damaged or not from samcarry.
    """
    session, metadata = open_onnx(path, threads)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.rint(run_onnx(session, images) * 255).astype(np.uint8)

    return predict, metadata


def open_onnx(
    path: str | Path, threads: int | None = None
) -> tuple["onnxruntime.InferenceSession", dict[str, Any]]:
    """An ONNX file, ready to run on the CPU, and its metadata; arguments and errors as in `load_onnx`."""
    import onnxruntime  # here, because a model.safetensors does not need it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cpus()
    # Threads that wait sleep, as those of torch in `samcarry predict`: see `processes.wait_asleep`.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    with reading(path, by_rule=False):
        content = Path(path).read_bytes()
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return session, json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
    except Exception as error:  # onnxruntime raises its own types for each kind of damage
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"{path}: this is not an ONNX model of samcarry, or it is damaged ({reason}); export it again"
        ) from None


def run_onnx(session: "onnxruntime.InferenceSession", images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities (N, class, height, width), 0..1, of grey images (N, height, width), one at a time."""
    parts = [session.run(["probabilities"], {"images": image[None]})[0] for image in images]
    return np.concatenate(parts)
