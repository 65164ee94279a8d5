"""Loading of SAM checkpoints, with clear errors for missing, damaged or mismatched files."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from segment_anything import build_sam_vit_b, build_sam_vit_h, build_sam_vit_l
from segment_anything.modeling import Sam
from torch import Tensor

from samcarry.errors import InputError
from samcarry.sam.small.model import build_small_sam
from samcarry.sam.tiny.model import build_tiny_sam
from samcarry.storage.files import atomic, sha256
from samcarry.storage.reading import reading

BUILDERS: dict[str, Callable[[], Sam]] = {
    "tiny": build_tiny_sam,
    "small": build_small_sam,
    "vit_b": build_sam_vit_b,
    "vit_l": build_sam_vit_l,
    "vit_h": build_sam_vit_h,
}


def load_sam(model: str, file: str | Path, digest: str | None = None, device: str = "cpu") -> Sam:
    """Load a checkpoint (.safetensors, or an official .pth) of the named model.

    Raises:
        InputError: the file is missing, its SHA-256 is not `digest`, it is not a checkpoint, or it holds the
            weights of another model (which the message names).
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(
            f"{file}: there is no such SAM checkpoint. Put the file of '{model}' there, or set its "
            f"'file' under sam.models in the config."
        )
    if digest is not None and (found := sha256(file)) != digest:
        raise InputError(
            f"{file}: SHA-256 is {found}, but the config expects {digest}, or the file had that when this "
            "run began. The file is damaged or is another one: download it again, or correct "
            "sam.models.*.sha256; if you replaced it during the run, run the same command again."
        )
    state = _read_state(file)
    with torch.device("meta"):
        expected = _shapes(BUILDERS[model]().state_dict())
    if _shapes(state) != expected:
        raise InputError(f"{file}: these are not the weights of '{model}'. {_matching_model(state)}")
    sam = BUILDERS[model]()
    sam.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return sam.to(device).eval().requires_grad_(False)


def _read_state(file: Path) -> Mapping[str, Tensor]:
    """Tensors by name; nothing but tensors is unpickled."""
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
    """Write a trained or tuned SAM as float16 safetensors with `metadata`, atomically."""
    state = {name: tensor.half().cpu().contiguous() for name, tensor in sam.state_dict().items()}
    content = save(state, {"model": model, **metadata})
    with atomic(file) as private:
        private.write_bytes(content)
