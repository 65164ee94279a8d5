"""Prompts to masks: SAM's two passes and MedSAM's protocol (paper §2.1, §3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from torch import Tensor

from samcarry.prompting.prompts import Prompt
from samcarry.runtime.device import autocast, fitting
from samcarry.sam.decoder import decode_one_mask
from samcarry.sam.inputs import input_size
from samcarry.sam.quality import Refined

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


@torch.inference_mode()
def refine_by_medsam(
    sam: Sam, embedding: Tensor, prompts: Sequence[Prompt | None], size: tuple[int, int]
) -> Refined:
    """Redraw every present class of one case from its box.

    Args:
        sam: MedSAM, or another SAM under its protocol.
        embedding: of what `to_medsam_input` gives, (C, rows, columns).
        prompts: one entry a class, None = absent.
        size: (height, width) of the prepared image and of the masks that are returned.
    """
    present = [index for index, prompt in enumerate(prompts) if prompt is not None]
    masks = np.zeros((len(prompts), *size), dtype=bool)
    quality = np.full(len(prompts), np.nan, dtype=np.float32)
    if present:
        asked = [prompt for prompt in prompts if prompt is not None]
        side = sam.image_encoder.img_size
        logits, estimate = decode(sam, embedding, asked, "box", size, taken=(side, side))
        # MedSAM enlarges probabilities, not logits.
        enlarged = F.interpolate(logits.sigmoid()[:, None], size, mode="bilinear", align_corners=False)
        masks[present] = (enlarged[:, 0] > 0.5).cpu().numpy()
        quality[present] = estimate.cpu().numpy()
    return Refined(masks, quality)


@dataclass(frozen=True)
class Passes:
    """Prompt kinds of the first and the second pass (None = no second pass)."""

    first: str
    second: str | None


MEDSAM_PASSES = Passes("box", None)


def refine_case(
    protocol: str,
    sam: Sam,
    embedding: Tensor,
    prompts: Sequence[Prompt | None],
    size: tuple[int, int],
    passes: Passes,
) -> Refined:
    """Redraw every present class of one case (see `sam.refine` and `medsam.refine_by_medsam`).

    Raises:
        ValueError: MedSAM is asked for anything but a box in one pass.
    """
    if protocol == "sam":
        return refine(sam, embedding, prompts, size, passes.first, passes.second)
    if passes != MEDSAM_PASSES:
        raise ValueError(f"MedSAM takes a box in one pass, not {passes}")
    return refine_by_medsam(sam, embedding, prompts, size)
