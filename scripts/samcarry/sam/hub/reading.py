"""Reading of a model folder as Hugging Face publishes it: config.json and safetensors, nothing else.

No file of the folder is executed or unpickled, and nothing is fetched.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from samcarry.errors import InputError, shortlist
from samcarry.sam.folders import CONFIG
from samcarry.storage.reading import reading

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_POINTER = b"version https://git-lfs"
_AGAIN = "download the whole folder again"


def read_folder(
    folder: Path, model: str, accepted: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The content of config.json, and all weights by name.

    Args:
        folder: the folder.
        model: the name of the architecture, for messages.
        accepted: the values of `model_type` in config.json that fit.

    Raises:
        InputError: the folder is missing, incomplete or damaged, has pickled weights only, asks for code of
            its own, or is of another family.
    """
    config = _read_json(folder / CONFIG)
    if _asks_for_code(config):
        raise InputError(
            f"{folder}: its config.json asks for program code of its own (auto_map), which samcarry never "
            f"runs: take the folder of a model that transformers knows, as docs/sams.md lists them"
        )
    found = config.get("model_type")
    if found not in accepted:
        raise InputError(
            f"{folder}: its config.json is of the model type '{found}', but the model '{model}' needs "
            f"{' or '.join(repr(name) for name in accepted)}: set another sam.models.*.model or folder"
        )
    return config, _read_weights(folder)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such file, so this is not a model folder, or it is incomplete: {_AGAIN}, "
            f"or correct sam.models.*.folder"
        )
    try:
        with reading(path, by_rule=False):
            content = json.loads(path.read_text(encoding="utf-8"))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is not JSON, so the download is damaged: {_AGAIN}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: this is not the description of a model: {_AGAIN}")
    return content


def _asks_for_code(value: Any) -> bool:
    """Whether a block at any depth names classes in files beside the weights."""
    if isinstance(value, dict):
        return "auto_map" in value or any(_asks_for_code(entry) for entry in value.values())
    return isinstance(value, list) and any(_asks_for_code(entry) for entry in value)


def _read_weights(folder: Path) -> dict[str, Tensor]:
    if (folder / _INDEX).is_file():
        return _read_shards(folder)
    if (folder / _WEIGHTS).is_file():
        return _read_shard(folder / _WEIGHTS)
    pickled = sorted(path.name for path in folder.glob("*.bin"))
    if pickled:
        raise InputError(
            f"{folder}: it has its weights only as {pickled[0]}, a pickle, which could run any program, so "
            f"samcarry does not read it: get {_WEIGHTS}, or have it converted"
        )
    raise InputError(f"{folder}: it has no {_WEIGHTS}, so it is incomplete: {_AGAIN}")


def _read_shards(folder: Path) -> dict[str, Tensor]:
    index = _read_json(folder / _INDEX)
    places = index.get("weight_map")
    # A name with a folder could be any file of the machine.
    if not isinstance(places, dict) or any(Path(str(name)).name != name for name in places.values()):
        raise InputError(f"{folder / _INDEX}: this is not an index of weights: {_AGAIN}")
    names = sorted(set(places.values()))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder}: {len(missing)} of its {len(names)} files of weights are missing "
            f"({shortlist(missing)}), so it is incomplete: {_AGAIN}"
        )
    shards = {name: _read_shard(folder / name) for name in names}
    for weight, name in places.items():
        if weight not in shards[name]:
            raise InputError(f"{folder / name}: it lacks {weight}, which the index names: {_AGAIN}")
    weights = {weight: shards[name][weight] for weight, name in places.items()}
    about = index.get("metadata")
    stated = about.get("total_size") if isinstance(about, dict) else None
    size = sum(tensor.nbytes for tensor in weights.values())
    if stated is not None and stated != size:
        raise InputError(f"{folder}: its weights have {size} bytes, but the index says {stated}: {_AGAIN}")
    return weights


def _read_shard(path: Path) -> dict[str, Tensor]:
    try:
        with reading(path, by_rule=False):
            with path.open("rb") as stream:
                start = stream.read(len(_POINTER))
            if start == _POINTER:
                raise InputError(
                    f"{path}: this is a pointer of Git LFS and not the weights: run `git lfs pull` there"
                )
            return load_file(path)
    except (SafetensorError, ValueError, RuntimeError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: this is not a complete safetensors file ({error}), so the download is incomplete or "
            f"damaged: {_AGAIN}"
        ) from error
