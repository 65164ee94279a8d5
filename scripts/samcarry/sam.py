"""Segment Anything: one embedding an image, masks from prompts (paper §2.1).

The tiny SAM of this repository and the official ViT-B/L/H take the same road. Everything is
stateless: `embed` an image, `decode` prompts on an embedding, `refine` in one or two passes.
"""

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor

from samcarry.decoder import decode_one_mask
from samcarry.encoder import encode
from samcarry.errors import DamagedError
from samcarry.files import atomic
from samcarry.hardware import autocast, fitting, upload
from samcarry.model_files import digest_of
from samcarry.prompts import Prompt


@dataclass(frozen=True)
class Refined:
    """SAM's answer for one case: masks (class, height, width), its own IoU estimate (class,).

    An absent class has an empty mask and NaN as quality.
    """

    masks: NDArray[np.bool_]
    quality: NDArray[np.float32]


# ---- images and embeddings ------------------------------------------------------------------


def input_size(sam: Sam, height: int, width: int) -> tuple[int, int]:
    """Rows and columns that an image takes in SAM's square input: the long side fills it."""
    return ResizeLongestSide.get_preprocess_shape(height, width, sam.image_encoder.img_size)


def fill_square(sam: Sam, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey image (height, width) enlarged or shrunk to its `input_size`, as SAM's own transform does it."""
    return ResizeLongestSide(sam.image_encoder.img_size).apply_image(image)


def to_sam_input(sam: Sam, resized: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Images of `fill_square` that are of one size -> normalised, padded (B, 3, S, S) on SAM's device."""
    return sam.preprocess(upload(np.stack(resized), sam.device)[:, None])


@torch.inference_mode()
def embed(sam: Sam, image: NDArray[np.uint8]) -> Tensor:
    """Embedding (C, rows, columns) of a grey image (height, width), float16 on the CPU."""
    return encode(sam.image_encoder, to_sam_input(sam, [fill_square(sam, image)]))[0].half().cpu()


def write_embeddings(
    path: str | Path, cases: Sequence[str], embeddings: Sequence[Tensor], made_by: Mapping[str, Any]
) -> None:
    """Write one shard's embeddings (float16, one tensor a case) as safetensors, atomically."""
    tensors = dict(zip(cases, (e.contiguous() for e in embeddings), strict=True))
    digests = {case: digest_of({case: tensor}) for case, tensor in tensors.items()}
    with atomic(path) as private:
        save_file(tensors, private, {"samcarry": json.dumps({**made_by, "sha256": digests}, sort_keys=True)})


@contextmanager
def open_embeddings(*paths: str | Path) -> Iterator[Callable[[str], Tensor]]:
    """Yield a function that reads one case's embedding, so that memory holds one at a time.

    Raises:
        DamagedError: a file is missing or damaged.
    """
    with ExitStack() as files:
        known: dict[str, tuple[str | Path, Any, str]] = {}
        for path in paths:
            stream, digests = _open(path)
            files.enter_context(stream)
            known |= {case: (path, stream, digest) for case, digest in digests.items()}

        def embedding_of(case: str) -> Tensor:
            path, stream, digest = known[case]
            embedding: Tensor = stream.get_tensor(case)
            if digest_of({case: embedding}) != digest:
                raise _damaged(path, "they are not those that were written")
            return embedding

        yield embedding_of


def _open(path: str | Path) -> tuple[Any, dict[str, str]]:
    """A shard's embeddings and the digest of each case's."""
    try:
        stream = safe_open(path, framework="pt")
        return stream, json.loads(stream.metadata()["samcarry"])["sha256"]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: str | Path, what: object) -> DamagedError:
    return DamagedError(path, f"these embeddings are damaged ({what})")


# ---- prompts to masks -----------------------------------------------------------------------


SAM_LOGIT_LIMIT = 20.0
"""SAM's own mask logits seldom go beyond; a U-Net's may, and would be unlike any prompt SAM has seen."""


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
    chunk: int | None = None,
    taken: tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Low-resolution logits (K, h, w) and estimated IoU (K,) for K prompts on one image.

    Args:
        sam: the model.
        embedding: of the image, (C, rows, columns).
        prompts: K prompts; those of one image have the same number of points each.
        kind: which parts of the prompts are given: 'box', 'pos', 'pos+neg', 'box+pos+neg' or 'mask'.
        size: (height, width) of the prepared image, in whose pixels the prompts are.
        logits: dense prompts from the pass before, (K, h, w), or None.
        chunk: prompts per call of the decoder; None = what suits the device.
        taken: rows and columns that the image takes in SAM's square input, if not `input_size`.
    """
    parts = prompt_parts(kind)
    device = sam.device
    chunk = chunk or fitting(device, cpu=4, gpu=64)
    rows, columns = taken or input_size(sam, *size)
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
        with autocast("float32", device):  # within a training in bfloat16 too
            sparse_embedding, dense_embedding = sam.prompt_encoder(points, boxes, dense)
            if dense is None:  # the same for all prompts
                dense_embedding = dense_embedding[:1]
            answer, estimate = decode_one_mask(
                sam.mask_decoder, image_embedding, image_pe, sparse_embedding, dense_embedding
            )
        masks.append(answer)
        quality.append(estimate)
    return torch.cat(masks), torch.cat(quality)


def refine(
    sam: Sam,
    embedding: Tensor,
    prompts: Sequence[Prompt | None],
    size: tuple[int, int],
    first: str = "box",
    second: str | None = "pos+neg",
    chunk: int | None = None,
    prior: Tensor | None = None,
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
        chunk: prompts per call of the decoder; None = what suits the device.
        prior: dense prompts of the first pass, one a present class (K, h, w); None = none.
    """
    present = [index for index, prompt in enumerate(prompts) if prompt is not None]
    masks = np.zeros((len(prompts), *size), dtype=bool)
    quality = np.full(len(prompts), np.nan, dtype=np.float32)
    if present:
        asked = [prompt for prompt in prompts if prompt is not None]
        logits, estimate = decode(sam, embedding, asked, first, size, prior, chunk)
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


def as_mask_prompt(sam: Sam, logits: Tensor) -> Tensor:
    """Logits (K, height, width) -> a dense prompt (K, h, w) in SAM's padded, low-resolution frame."""
    rows, columns = input_size(sam, *logits.shape[1:])
    side = sam.image_encoder.img_size
    enlarged = F.interpolate(logits[:, None], (rows, columns), mode="bilinear", align_corners=False)
    limited = enlarged.clamp(-SAM_LOGIT_LIMIT, SAM_LOGIT_LIMIT)
    # Beyond the image nothing is of any class.
    padded = F.pad(limited, (0, side - columns, 0, side - rows), value=-SAM_LOGIT_LIMIT)
    low = sam.prompt_encoder.mask_input_size
    return F.interpolate(padded, low, mode="bilinear", align_corners=False)[:, 0]


def full_size(sam: Sam, logits: Tensor, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks (K, height, width) of low-resolution logits (K, h, w)."""
    enlarged = sam.postprocess_masks(logits[:, None], input_size(sam, *size), size)[:, 0]
    return (enlarged > sam.mask_threshold).cpu().numpy()
