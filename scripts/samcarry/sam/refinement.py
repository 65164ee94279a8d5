"""Refinement: masks from prompts, by SAM in two passes or by MedSAM's protocol (paper §2.1, §3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from samcarry.prompting.prompts import Prompt
from samcarry.runtime.device import autocast, batch_size_for
from samcarry.sam.decoder import decode
from samcarry.sam.inputs import input_size, squeezes
from samcarry.sam.official import Sam
from samcarry.sam.quality import Refined

SAM_LOGIT_LIMIT = 20.0
"""Limit of dense prompts: SAM's mask logits are rarely larger, but those of a U-Net may be."""


def prompt_parts(kind: str) -> frozenset[str]:
    """The parts of a prompt kind such as 'pos+neg'; 'mask' means only the dense prompt."""
    return frozenset(kind.split("+"))


@torch.inference_mode()
def decode_prompts(
    sam: Sam,
    embedding: Tensor,
    prompts: Sequence[Prompt],
    kind: str,
    size: tuple[int, int],
    logits: Tensor | None = None,
    chunk: int | None = None,
    input_shape: tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Low-resolution logits (K, h, w) and estimated IoU (K,) for K prompts on one image.

    Args:
        sam: the model.
        embedding: image embedding, (C, rows, columns).
        prompts: K prompts of one image, so all have the same number of points.
        kind: the parts of the prompts to use: 'box', 'pos', 'pos+neg', 'box+pos+neg' or 'mask'.
        size: (height, width) of the prepared image; the prompts are in its pixels.
        logits: dense prompts from the previous pass, (K, h, w), or None.
        chunk: prompts per call of the decoder; None = suitable for the device.
        input_shape: rows and columns of the image in SAM's square input; None = `input_size`.
    """
    parts = prompt_parts(kind)
    device = sam.device
    chunk = chunk or batch_size_for(device, cpu=4, gpu=64)
    rows, columns = input_shape or input_size(sam, *size)
    scale = torch.tensor([columns / size[1], rows / size[0]], device=device)
    image_embedding = embedding.to(device, torch.float32)[None]
    image_pe = sam.prompt_encoder.get_dense_pe()
    all_logits, quality = [], []
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
        with autocast("float32", device):  # even inside a bfloat16 training
            sparse_embedding, dense_embedding = sam.prompt_encoder(points, boxes, dense)
            if dense is None:  # the same for all prompts
                dense_embedding = dense_embedding[:1]
            answers = decode(sam.mask_decoder, image_embedding, image_pe, sparse_embedding, dense_embedding)
        all_logits.append(answers.logits[:, 0])
        quality.append(answers.quality[:, 0])
    return torch.cat(all_logits), torch.cat(quality)


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
    """Redraw every present class of one case in a first pass and self-refinement (paper §2.1).

    Args:
        sam: the model.
        embedding: image embedding, (C, rows, columns).
        prompts: one entry per class, None = absent.
        size: (height, width) of the prepared image and of the resulting masks.
        first: prompt kind of the first pass.
        second: prompt kind of the second pass, in addition to the first pass's logits; 'mask' = only the
            logits, None = no second pass.
        chunk: prompts per call of the decoder; None = suitable for the device.
        prior: dense prompts of the first pass, one per present class (K, h, w); None = none.
    """
    present = [index for index, prompt in enumerate(prompts) if prompt is not None]
    masks = np.zeros((len(prompts), *size), dtype=bool)
    quality = np.full(len(prompts), np.nan, dtype=np.float32)
    if present:
        given = [prompt for prompt in prompts if prompt is not None]
        logits, estimate = decode_prompts(sam, embedding, given, first, size, prior, chunk)
        if second is not None:
            logits, estimate = decode_prompts(sam, embedding, given, second, size, logits, chunk)
        masks[present] = full_size(sam, logits, size)
        quality[present] = estimate.cpu().numpy()
    return Refined(masks, quality)


def as_mask_prompt(sam: Sam, logits: Tensor) -> Tensor:
    """Logits (K, height, width) -> a dense prompt (K, h, w) in SAM's padded, low-resolution frame."""
    rows, columns = input_size(sam, *logits.shape[1:])
    side = sam.image_encoder.img_size
    enlarged = F.interpolate(logits[:, None], (rows, columns), mode="bilinear", align_corners=False)
    limited = enlarged.clamp(-SAM_LOGIT_LIMIT, SAM_LOGIT_LIMIT)
    # No class is present outside the image.
    padded = F.pad(limited, (0, side - columns, 0, side - rows), value=-SAM_LOGIT_LIMIT)
    low = sam.prompt_encoder.mask_input_size
    return F.interpolate(padded, low, mode="bilinear", align_corners=False)[:, 0]


def full_size(sam: Sam, logits: Tensor, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks (K, height, width) from low-resolution logits (K, h, w)."""
    if squeezes(sam):
        enlarged = F.interpolate(logits[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    else:
        enlarged = sam.postprocess_masks(logits[:, None], input_size(sam, *size), size)[:, 0]
    return (enlarged > sam.mask_threshold).cpu().numpy()


@torch.inference_mode()
def refine_by_medsam(
    sam: Sam, embedding: Tensor, prompts: Sequence[Prompt | None], size: tuple[int, int]
) -> Refined:
    """Redraw every present class of one case from its box.

    Args:
        sam: MedSAM, or another SAM used by its protocol.
        embedding: embedding of an image from `to_medsam_input`, (C, rows, columns).
        prompts: one entry per class, None = absent.
        size: (height, width) of the prepared image and of the resulting masks.
    """
    present = [index for index, prompt in enumerate(prompts) if prompt is not None]
    masks = np.zeros((len(prompts), *size), dtype=bool)
    quality = np.full(len(prompts), np.nan, dtype=np.float32)
    if present:
        given = [prompt for prompt in prompts if prompt is not None]
        side = sam.image_encoder.img_size
        logits, estimate = decode_prompts(sam, embedding, given, "box", size, input_shape=(side, side))
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
    """Redraw every present class of one case by `refine` ('sam') or `refine_by_medsam` ('medsam').

    Raises:
        ValueError: `passes` of 'medsam' are not one pass with a box.
    """
    if protocol == "sam":
        return refine(sam, embedding, prompts, size, passes.first, passes.second)
    if passes != MEDSAM_PASSES:
        raise ValueError(f"MedSAM supports only a box in one pass, not {passes}")
    return refine_by_medsam(sam, embedding, prompts, size)
