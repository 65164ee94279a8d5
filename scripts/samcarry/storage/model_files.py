"""Models on disk: weights as safetensors, with `about` (JSON) in the metadata; nothing is unpickled.

safetensors has no checksum, so a digest of the weights goes with them: a flipped bit is found.
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


def write_model(path: str | Path, weights: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write weights and `about` atomically; the same ones give the same bytes."""
    state = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    # One entry of metadata: safetensors writes several in an order that changes from run to run.
    told = json.dumps({**about, _DIGEST: digest_of(state)}, sort_keys=True, ensure_ascii=False)
    with atomic(path) as private:
        save_file(state, private, {"samcarry": told})


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of contiguous CPU tensors and their names, in the order of the names."""
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
    """What `build` makes of weights and `about`, and `about` itself.

    Args:
        path: a file of `write_model`.
        kind: what it should be, for the message.
        cure: what to do about a bad file; None for one that a rule made.
        build: may raise what missing keys and weights of another shape make torch and Python raise.

    Raises:
        DamagedError, or InputError with `cure`: the file is missing, damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            about = json.loads(stream.metadata()["samcarry"])
            weights = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
            if digest_of(weights) != about.pop(_DIGEST, digest_of(weights)):
                raise ValueError("its weights are not those that were written")
        return build(weights, about), about
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        what = str(error).splitlines()[0]  # torch lists each weight on a line of its own
        fault = f"this is no {kind} of samcarry, or it is damaged ({what})"
        if cure is None:
            raise DamagedError(path, fault) from error
        raise InputError(f"{path}: {fault}. {cure[0].upper()}{cure[1:]}.") from error
