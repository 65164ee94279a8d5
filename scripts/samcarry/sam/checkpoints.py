"""Loading of SAM checkpoints, with clear errors for missing, damaged or mismatched files and folders."""

import json
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from samcarry.errors import InputError
from samcarry.sam.folders import digest_of_checkpoint, folder_of, is_folder
from samcarry.sam.hub.models import BLOCKS, build_later_sam
from samcarry.sam.hub.names import from_official, from_transformers
from samcarry.sam.hub.reading import read_folder
from samcarry.sam.official import Sam, build_sam_vit_b, build_sam_vit_h, build_sam_vit_l
from samcarry.sam.own_models import HQ_MODELS, LATER_MODELS, SAM2_MODELS, SAM3_MODELS, VIT_MODELS
from samcarry.sam.small.model import build_small_sam
from samcarry.sam.tiny.model import build_tiny_sam
from samcarry.storage.files import atomic
from samcarry.storage.reading import reading
from samcarry.storage.tensors import with_sorted_metadata

BUILDERS: dict[str, Callable[[], Sam]] = {
    "tiny": build_tiny_sam,
    "small": build_small_sam,
    "vit_b": build_sam_vit_b,
    "vit_l": build_sam_vit_l,
    "vit_h": build_sam_vit_h,
    **{model: partial(build_later_sam, model) for model in LATER_MODELS},
}

# Family of names in a model folder, and the `model_type` that its config.json may have. A model for videos
# includes the model for images.
_FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(VIT_MODELS, ("sam", ("sam",))),
    **dict.fromkeys(HQ_MODELS, ("sam_hq", ("sam_hq",))),
    **dict.fromkeys(SAM2_MODELS, ("sam2", ("sam2", "sam2_video"))),
    **dict.fromkeys(SAM3_MODELS, ("sam3", ("sam3_tracker", "sam3_tracker_video", "sam3_video"))),
}


def load_sam(model: str, file: str | Path, digest: str | None = None, device: str = "cpu") -> Sam:
    """Load the named model from a checkpoint or from a model folder.

    Args:
        model: a key of `BUILDERS`.
        file: a .safetensors file of this project, an official .pth or .pt file, or the config.json of a model
            folder.
        digest: its SHA-256 (see `digest_of_checkpoint`); None = not checked.
        device: where the model computes.

    Raises:
        InputError: the file is missing, its SHA-256 is not `digest`, it is not a checkpoint, or it holds the
            weights of another model (which the message names).
    """
    config, state = read_checkpoint(model, Path(file), digest)
    weights = {name: tensor.float() for name, tensor in state.items()}
    if config is None:
        sam = BUILDERS[model]()
        sam.load_state_dict(weights)
    else:
        sam = _described(model, config, weights, file)
    return sam.to(device).eval().requires_grad_(False)


def _described(model: str, config: Mapping[str, Any], weights: Mapping[str, Tensor], file: str | Path) -> Sam:
    """The model that a config.json describes, with its weights."""
    try:
        sam = build_later_sam(model, config)
        sam.load_state_dict(weights)
    # transformers checks the values of a config.json in many places, with errors of many kinds.
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"{file}: this does not describe the model of these weights ({reason}): "
            "download the whole folder again"
        ) from error
    return sam


def read_checkpoint(
    model: str, file: Path, digest: str | None
) -> tuple[dict[str, Any] | None, Mapping[str, Tensor]]:
    """What describes the named model if the file says so, and all weights under our names.

    Arguments and errors are those of `load_sam`.
    """
    if not file.exists():
        raise InputError(
            f"{file}: there is no such SAM checkpoint. Put the file of '{model}' there, or set its "
            f"'file' or 'folder' under sam.models in the config."
        )
    if digest is not None and (found := digest_of_checkpoint(file)) != digest:
        raise InputError(
            f"{file}: SHA-256 is {found}, but the config expects {digest}, or the file had that when this "
            "run began. The file is damaged or is another one: download it again, or correct "
            "sam.models.*.sha256; if you replaced it during the run, run the same command again."
        )
    config, state = _read_folder(model, folder_of(file)) if is_folder(file) else _read_file(model, file)
    with torch.device("meta"):
        expected = _shapes(BUILDERS[model]().state_dict())
    if _shapes(state) != expected:
        raise InputError(f"{file}: these are not the weights of '{model}'. {_matching_model(state)}")
    return config, state


def _read_folder(model: str, folder: Path) -> tuple[dict[str, Any] | None, Mapping[str, Tensor]]:
    """What describes the model, and its weights under our names."""
    if model not in _FAMILIES:
        raise InputError(f"{folder}: '{model}' is not a model that is read from a folder: set its 'file'")
    family, accepted = _FAMILIES[model]
    config, weights = read_folder(folder, model, accepted)
    try:
        state = from_transformers(weights, family)
    except ValueError as error:
        raise InputError(f"{folder}: these weights contradict each other ({error})") from error
    described = config.get("tracker_config") or config
    is_map = isinstance(described, dict)
    blocks = {block: described[block] for block in BLOCKS if is_map and described.get(block)}
    if not is_map or not all(isinstance(block, dict) for block in blocks.values()):
        raise InputError(f"{folder}: its config.json is damaged: download the whole folder again")
    if family in ("sam", "sam_hq"):
        _check_vit(model, folder, blocks.get("vision_config", {}))
        return None, state
    return blocks, state


def _check_vit(model: str, folder: Path, given: Mapping[str, Any]) -> None:
    """Stop if a config.json differs from the architecture in what the shapes of the weights do not show."""
    with torch.device("meta"):
        encoder = BUILDERS[model]().image_encoder
    vit = getattr(encoder, "vit", encoder)
    windows = [block.window_size for block in vit.blocks]
    expected = {
        "image_size": vit.img_size,
        "num_attention_heads": vit.blocks[0].attn.num_heads,
        "window_size": max(windows),
        "global_attn_indexes": [index for index, size in enumerate(windows) if size == 0],
    }
    for key, value in expected.items():
        if given.get(key, value) != value:
            raise InputError(
                f"{folder}: its config.json has {key} {given[key]}, but '{model}' has {value}: "
                f"this is another architecture, which samcarry does not know"
            )


def _read_file(model: str, file: Path) -> tuple[dict[str, Any] | None, Mapping[str, Tensor]]:
    """What describes the model if the file says so, and its weights under our names."""
    state = _read_state(file, wrapped_in="model" if model in SAM2_MODELS else None)
    if model not in LATER_MODELS:
        return None, state
    if file.suffix != ".safetensors":
        return None, from_official(state)
    with safe_open(file, "pt") as content:
        config = (content.metadata() or {}).get("config")
    return (json.loads(config) if config else None), state


def _read_state(file: Path, wrapped_in: str | None) -> Mapping[str, Tensor]:
    """Tensors by name, in an official file of SAM 2 below one key; nothing but tensors is unpickled."""
    try:
        with reading(file, by_rule=False):
            if file.suffix == ".safetensors":
                return load(file.read_bytes())
            state = torch.load(file, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{file}: this is not a SAM checkpoint ({type(error).__name__}). A failed download often "
            f"leaves a web page under this name: download the file again."
        ) from error
    if wrapped_in and isinstance(state, Mapping) and set(state) == {wrapped_in}:
        state = state[wrapped_in]
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise InputError(f"{file}: this is not a plain SAM state dict. Download the official file.")
    return state


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _matching_model(state: Mapping[str, Tensor]) -> str:
    """A sentence that names the model with the tensor shapes of `state`, if there is one."""
    for name, build in BUILDERS.items():
        with torch.device("meta"):
            shapes = _shapes(build().state_dict())
        if shapes == _shapes(state):
            return f"They fit '{name}': set that as the model, or point 'file' at the other file."
    return f"They fit none of {', '.join(BUILDERS)}: download the official file of one of these."


def save_sam(model: str, file: str | Path, sam: Sam, metadata: Mapping[str, str]) -> None:
    """Write a trained or tuned SAM as float16 safetensors with `metadata`, atomically.

    Equal SAMs with equal metadata give equal bytes.
    """
    state = {name: tensor.half().cpu().contiguous() for name, tensor in sam.state_dict().items()}
    described = {"config": json.dumps(sam.config, sort_keys=True)} if hasattr(sam, "config") else {}
    content = with_sorted_metadata(save(state, {"model": model, **metadata, **described}))
    with atomic(file) as private:
        private.write_bytes(content)
