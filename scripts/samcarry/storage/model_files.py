"""Model files: weights as safetensors with JSON metadata; reading one never executes pickled code.

safetensors has no checksum, so the metadata hold a SHA-256 of themselves and the weights, by which damage is
found wherever the file is copied.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from samcarry.errors import DamagedError, InputError
from samcarry.storage.files import atomic
from samcarry.storage.reading import reading_made
from samcarry.storage.tensors import read_tensor_header

log = logging.getLogger(__name__)
Model = TypeVar("Model")
_DIGEST = "sha256"
_OLD_DIGEST = "weights_sha256"
"""Of the weights only, in files of earlier versions."""


def write_model(path: str | Path, weights: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write weights and metadata (JSON values) atomically; equal ones give equal bytes."""
    state = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    metadata = json.loads(json.dumps(metadata))  # as they will be read: names as text, tuples as lists
    digest = _digest_of_model(state, metadata)
    # One metadata entry: safetensors writes several in an order that changes from run to run.
    content = save(state, {"samcarry": _as_json({**metadata, _DIGEST: digest})})
    with atomic(path) as private:
        private.write_bytes(content)


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of the names and values of contiguous CPU tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _digest_of_model(weights: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    shapes = {name: [str(tensor.dtype), *tensor.shape] for name, tensor in weights.items()}
    parts = [_as_json(metadata), _as_json(shapes), digest_of(weights)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, ensure_ascii=False)


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
    fault = f"this is not a samcarry {kind} model file, or it is damaged"
    try:
        with reading_made(path, fault, (SafetensorError, KeyError, TypeError, ValueError, RuntimeError)):
            content = Path(path).read_bytes()
            metadata = json.loads(read_tensor_header(BytesIO(content)).metadata["samcarry"])
            weights = load(content)
            _check_digest(path, weights, metadata)
            return build(weights, metadata), metadata
    except DamagedError as error:
        if cure is None:
            raise
        raise InputError(f"{error}. {cure[0].upper()}{cure[1:]}.") from error


def _check_digest(path: str | Path, weights: Mapping[str, Tensor], metadata: dict[str, Any]) -> None:
    """Remove the digest from the metadata and check it."""
    digest, of_weights = metadata.pop(_DIGEST, None), metadata.pop(_OLD_DIGEST, None)
    if digest is None and of_weights is None:
        raise ValueError("it has no checksum")
    if digest is None:
        log.warning("%s: is of an earlier version: only its weights have a checksum", path)
    if of_weights not in (None, digest_of(weights)):
        raise ValueError("its weights have changed since they were written")
    if digest not in (None, _digest_of_model(weights, metadata)):
        raise ValueError("its content has changed since it was written")
