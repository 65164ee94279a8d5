"""Segment Anything: which checkpoint, one embedding an image, masks from prompts (paper §2.1).

The tiny SAM of this repository and the official ViT-B/L/H take the same road. Everything is
stateless: `embed` an image, `decode` prompts on an embedding, `refine` in one or two passes.
"""

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from segment_anything import build_sam_vit_b, build_sam_vit_h, build_sam_vit_l
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor

from samcarry.errors import InputError
from samcarry.files import atomic, sha256
from samcarry.prompts import Prompt
from samcarry.tiny_sam import build_tiny_sam

BUILDERS: dict[str, Callable[[], Sam]] = {
    "tiny": build_tiny_sam,
    "vit_b": build_sam_vit_b,
    "vit_l": build_sam_vit_l,
    "vit_h": build_sam_vit_h,
}


@dataclass(frozen=True)
class Refined:
    """SAM's answer for one case: masks (class, height, width), its own IoU estimate (class,).

    An absent class has an empty mask and NaN as quality.
    """

    masks: NDArray[np.bool_]
    quality: NDArray[np.float32]


# ---- checkpoints ----------------------------------------------------------------------------


def load_sam(model: str, file: str | Path, digest: str | None = None, device: str = "cpu") -> Sam:
    """Load a checkpoint (.safetensors, or an official .pth) of the named model.

    Raises:
        InputError: the file is missing, its SHA-256 is not `digest`, it is no checkpoint, or it fits
            another variant (which is then named).
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(
            f"{file}: there is no such SAM checkpoint. Put the file of '{model}' there, or set its "
            f"'file' under sam.models in the config."
        )
    if digest is not None and (found := sha256(file)) != digest:
        raise InputError(
            f"{file}: SHA-256 is {found}, but the config expects {digest}. The file is damaged or "
            f"another one: fetch it again, or correct sam.models.*.sha256."
        )
    state = _read_state(file)
    with torch.device("meta"):
        expected = _shapes(BUILDERS[model]().state_dict())
    if _shapes(state) != expected:
        raise InputError(f"{file}: these are not the weights of '{model}'. {_fitting(state)}")
    sam = BUILDERS[model]()
    sam.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return sam.to(device).eval().requires_grad_(False)


def _read_state(file: Path) -> Mapping[str, Tensor]:
    """Tensors by name; nothing but tensors is ever unpickled."""
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as stream:
                return {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (
        SafetensorError,
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        _UnpicklingError,
    ) as error:
        raise InputError(
            f"{file}: this is no SAM checkpoint ({type(error).__name__}). A failed download often "
            f"leaves a web page under this name: fetch the file again."
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise InputError(f"{file}: this is no plain SAM state dict. Fetch the official file.")
    return state


_UnpicklingError = torch.serialization.pickle.UnpicklingError


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _fitting(state: Mapping[str, Tensor]) -> str:
    """A sentence that names the model whose shapes `state` has, if there is one."""
    for name, build in BUILDERS.items():
        with torch.device("meta"):
            shapes = _shapes(build().state_dict())
        if shapes == _shapes(state):
            return f"They fit '{name}': set that as the model, or point 'file' at the other file."
    return f"They fit none of {', '.join(BUILDERS)}: fetch the official file of one of these."


def save_tiny_sam(file: Path, sam: Sam, metadata: Mapping[str, str]) -> None:
    """Write a tiny SAM as float16 safetensors with `metadata`, atomically."""
    state = {name: tensor.half().contiguous() for name, tensor in sam.state_dict().items()}
    with atomic(file) as private:
        save_file(state, private, {"model": "tiny", **metadata})


# ---- images and embeddings ------------------------------------------------------------------


def input_size(sam: Sam, height: int, width: int) -> tuple[int, int]:
    """Rows and columns that an image takes in SAM's square input: the long side fills it."""
    return ResizeLongestSide.get_preprocess_shape(height, width, sam.image_encoder.img_size)


def to_sam_input(sam: Sam, image: NDArray[np.uint8]) -> Tensor:
    """Grey image (height, width) -> normalised and padded (1, 3, S, S) on SAM's device."""
    rgb = np.repeat(image[:, :, None], 3, axis=2)
    resized = ResizeLongestSide(sam.image_encoder.img_size).apply_image(rgb)
    tensor = torch.from_numpy(resized).permute(2, 0, 1)[None].to(sam.device)
    return sam.preprocess(tensor)


@torch.inference_mode()
def embed(sam: Sam, image: NDArray[np.uint8]) -> Tensor:
    """Embedding (C, rows, columns) of a grey image (height, width), float16 on the CPU."""
    return sam.image_encoder(to_sam_input(sam, image))[0].half().cpu()


def write_embeddings(
    path: str | Path, cases: Sequence[str], embeddings: Sequence[Tensor], made_by: Mapping[str, Any]
) -> None:
    """Write one shard's embeddings (float16, one tensor a case) as safetensors, atomically."""
    tensors = dict(zip(cases, (e.contiguous() for e in embeddings), strict=True))
    with atomic(path) as private:
        save_file(tensors, private, {"samcarry": json.dumps(made_by, sort_keys=True)})


@contextmanager
def open_embeddings(path: str | Path) -> Iterator[Callable[[str], Tensor]]:
    """Yield a function that reads one case's embedding, so that memory holds one at a time.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        stream = safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: these embeddings are damaged ({error}). Delete the file and run the same "
            f"command again: it is made anew."
        ) from error
    with stream:
        yield stream.get_tensor


# ---- prompts to masks -----------------------------------------------------------------------


def prompt_parts(kind: str) -> frozenset[str]:
    """The parts of a prompt kind such as 'pos+neg'; 'mask' stands for the dense prompt alone."""
    return frozenset(kind.split("+"))


@torch.inference_mode()
def decode(
    sam: Sam,
    embedding: Tensor,
    prompts: Sequence[Prompt],
    kind: str,
    size: tuple[int, int],
    logits: Tensor | None = None,
    chunk: int = 64,
) -> tuple[Tensor, Tensor]:
    """Low-resolution logits (K, h, w) and estimated IoU (K,) for K prompts on one image.

    Args:
        sam: the model.
        embedding: of the image, (C, rows, columns).
        prompts: K prompts; those of one image have the same number of points each.
        kind: which parts of the prompts are given: 'box', 'pos', 'pos+neg', 'box+pos+neg' or 'mask'.
        size: (height, width) of the prepared image, in whose pixels the prompts are.
        logits: dense prompts from the pass before, (K, h, w), or None.
        chunk: prompts per call of the decoder.
    """
    parts = prompt_parts(kind)
    device = sam.device
    rows, columns = input_size(sam, *size)
    scale = torch.tensor([columns / size[1], rows / size[0]], device=device)
    image_embedding = embedding.to(device, torch.float32)[None]
    image_pe = sam.prompt_encoder.get_dense_pe()
    masks, quality = [], []
    for start in range(0, len(prompts), chunk):
        part = prompts[start : start + chunk]
        boxes = points = None
        if "box" in parts:
            corners = torch.tensor([p.box for p in part], device=device).reshape(-1, 2, 2)
            boxes = (corners * scale).reshape(-1, 4)
        if "pos" in parts:
            negatives = [p.negative if "neg" in parts else () for p in part]
            coordinates = [[p.positive, *n] for p, n in zip(part, negatives, strict=True)]
            labels = [[1] + [0] * len(n) for n in negatives]
            points = (
                torch.tensor(coordinates, device=device) * scale,
                torch.tensor(labels, device=device),
            )
        dense = None if logits is None else logits[start : start + chunk, None]
        sparse_embedding, dense_embedding = sam.prompt_encoder(points, boxes, dense)
        answer, estimate = sam.mask_decoder(
            image_embeddings=image_embedding,
            image_pe=image_pe,
            sparse_prompt_embeddings=sparse_embedding,
            dense_prompt_embeddings=dense_embedding,
            multimask_output=False,
        )
        masks.append(answer[:, 0])
        quality.append(estimate[:, 0])
    return torch.cat(masks), torch.cat(quality)


def refine(
    sam: Sam,
    embedding: Tensor,
    prompts: Sequence[Prompt | None],
    size: tuple[int, int],
    first: str = "box",
    second: str | None = "pos+neg",
    chunk: int = 64,
) -> Refined:
    """Redraw every present class of one case: first pass, then self-refinement (paper §2.1).

    Args:
        sam: the model.
        embedding: of the image, (C, rows, columns).
        prompts: one entry a class, None = absent.
        size: (height, width) of the prepared image and of the masks that are returned.
        first: prompt kind of the first pass.
        second: prompt kind that goes with the first pass's logits; 'mask' = these alone,
            None = no second pass.
        chunk: prompts per call of the decoder.
    """
    present = [index for index, prompt in enumerate(prompts) if prompt is not None]
    masks = np.zeros((len(prompts), *size), dtype=bool)
    quality = np.full(len(prompts), np.nan, dtype=np.float32)
    if present:
        asked = [prompt for prompt in prompts if prompt is not None]
        logits, estimate = decode(sam, embedding, asked, first, size, chunk=chunk)
        if second is not None:
            logits, estimate = decode(sam, embedding, asked, second, size, logits, chunk)
        masks[present] = full_size(sam, logits, size)
        quality[present] = estimate.cpu().numpy()
    return Refined(masks, quality)


def write_quality(path: str | Path, refined: Mapping[str, Refined], classes: Sequence[str]) -> None:
    """Write SAM's IoU estimates as CSV, atomically: case, class, iou; present classes only."""
    with atomic(path) as private, private.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["case", "class", "iou"])
        for case, answer in refined.items():
            for name, iou in zip(classes, answer.quality.tolist(), strict=True):
                if not math.isnan(iou):
                    writer.writerow([case, name, f"{iou:.4f}"])


def full_size(sam: Sam, logits: Tensor, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks (K, height, width) of low-resolution logits (K, h, w)."""
    enlarged = sam.postprocess_masks(logits[:, None], input_size(sam, *size), size)[:, 0]
    return (enlarged > sam.mask_threshold).cpu().numpy()
