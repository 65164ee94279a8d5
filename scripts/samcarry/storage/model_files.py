"""Model files: weights as safetensors with JSON metadata; reading one never executes pickled code.

safetensors has no checksum, so the metadata hold a SHA-256 of the weights, which detects flipped bits.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from samcarry.errors import DamagedError, InputError
from samcarry.storage.files import atomic

Model = TypeVar("Model")
_DIGEST = "weights_sha256"


def write_model(path: str | Path, weights: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write weights and metadata (JSON values) atomically; equal ones give equal bytes."""
    state = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    # One metadata entry: safetensors writes several in an order that changes from run to run.
    text = json.dumps({**metadata, _DIGEST: digest_of(state)}, sort_keys=True, ensure_ascii=False)
    with atomic(path) as private:
        save_file(state, private, {"samcarry": text})


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of the names and values of contiguous CPU tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def read_model(
    path: str | Path,
    kind: str,
    build: Callable[[dict[str, Tensor], dict[str, Any]], Model],
    cure: str | None = None,
) -> tuple[Model, dict[str, Any]]:
    """The model that `build` makes of the weights and metadata of a file, and the metadata.

    Args:
        path: a file written by `write_model`.
        kind: the expected kind of model, for the error message.
        build: builds the model; may raise what torch and Python raise for missing keys and wrong shapes.
        cure: what to do about a bad file; None for a file that a rule of the workflow wrote.

    Raises:
        DamagedError, or InputError if `cure` is given: the file is missing, damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = json.loads(stream.metadata()["samcarry"])
            weights = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
            if digest_of(weights) != metadata.pop(_DIGEST, digest_of(weights)):
                raise ValueError("its weights have changed since they were written")
        return build(weights, metadata), metadata
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]  # torch names each weight on a line of its own
        fault = f"this is not a samcarry {kind} model file, or it is damaged ({reason})"
        if cure is None:
            raise DamagedError(path, fault) from error
        raise InputError(f"{path}: {fault}. {cure[0].upper()}{cure[1:]}.") from error
