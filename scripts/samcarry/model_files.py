"""Models on disk: weights as safetensors, with `about` (JSON) in the metadata; nothing is unpickled."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from samcarry.errors import InputError
from samcarry.files import atomic

Model = TypeVar("Model")


def write_model(path: str | Path, weights: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write weights and `about` atomically; the same ones give the same bytes."""
    metadata = {"samcarry": json.dumps(about, sort_keys=True, ensure_ascii=False)}
    state = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    with atomic(path) as private:
        save_file(state, private, metadata)


def read_model(
    path: str | Path, kind: str, build: Callable[[dict[str, Tensor], dict[str, Any]], Model]
) -> tuple[Model, dict[str, Any]]:
    """What `build` makes of weights and `about`, and `about` itself.

    Args:
        path: a file of `write_model`.
        kind: what it should be, for the message.
        build: may raise what missing keys and weights of another shape make torch and Python raise.

    Raises:
        InputError: the file is missing, damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            about = json.loads(stream.metadata()["samcarry"])
            weights = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        return build(weights, about), about
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        what = str(error).splitlines()[0]  # torch lists each weight on a line of its own
        raise InputError(
            f"{path}: this is no {kind} of samcarry, or it is damaged ({what}). "
            f"Delete it and run the same command again: it is trained anew."
        ) from error
