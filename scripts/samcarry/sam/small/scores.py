"""How good a SAM is on crops: Dice from jittered boxes by source and size, its estimates, presence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from torch import Tensor

from samcarry.evaluation.dice import dice
from samcarry.prompting.prompts import Box, Prompt, bounding_box, centre_of_mass
from samcarry.sam.crops import Window, whole, window_around
from samcarry.sam.decoder import decode
from samcarry.sam.embedding import embed
from samcarry.sam.inputs import input_size
from samcarry.sam.official import Sam
from samcarry.sam.refinement import decode_prompts, full_size
from samcarry.sam.tiny.training import jittered_boxes

SIZES = {"small": 1 / 20, "medium": 1 / 10, "large": np.inf}
"""Classes of size: the share of the image's longer side below which the root of the box's area is."""


@dataclass(frozen=True)
class Question:
    """An image, and boxes on it.

    Attributes:
        source: what kind of image it is.
        image: uint8 (height, width).
        masks: the objects, bool (K, height, width).
        nothing: places where there is no object, bool (M, height, width).
    """

    source: str
    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    nothing: NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """The answer to one box; a box around nothing has no Dice (NaN)."""

    source: str
    size: str
    bare: float  # Dice of the box itself, taken as the mask
    dice: float
    quality: float  # the IoU that the model estimates
    presence: float  # its logit; NaN for a model without one
    present: bool


def score_boxes(
    sam: Sam, questions: Iterable[Question], zoom: float | None = 3.0, sigma: float = 0.05, seed: int = 0
) -> list[Score]:
    """Ask for every object by a box whose sides are moved by N(0, sigma · extent).

    Args:
        sam: the model.
        questions: images and objects.
        zoom: each box is asked on a crop of so many boxes; None = on the whole image.
        sigma: jitter of the boxes' sides.
        seed: of the jitter.
    """
    scores = []
    for index, question in enumerate(questions):
        rng = np.random.default_rng([seed, index])
        areas = np.concatenate([question.masks, question.nothing])
        boxes = jittered_boxes(areas, rng, sigma)
        embedding = embed(sam, question.image) if zoom is None else None
        for place, (mask, box) in enumerate(zip(areas, boxes, strict=True)):
            scores.append(
                _score(sam, question, mask, tuple(box.tolist()), zoom, embedding, place < len(question.masks))
            )
    return scores


def _score(
    sam: Sam,
    question: Question,
    mask: NDArray[np.bool_],
    box: Box,
    zoom: float | None,
    embedding: Tensor | None,
    present: bool,
) -> Score:
    height, width = mask.shape
    window = whole((height, width)) if zoom is None else window_around(box, zoom, (height, width))
    if embedding is None:
        embedding = embed(sam, np.ascontiguousarray(question.image[window.view]))
    prompt = _within(window, box, mask)
    logits, quality = decode_prompts(sam, embedding, [prompt], "box", window.size)
    answer = np.zeros_like(mask)
    answer[window.view] = full_size(sam, logits, window.size)[0]
    x0, y0, x1, y1 = bounding_box(mask)
    share = np.sqrt((x1 - x0) * (y1 - y0)) / max(height, width)
    return Score(
        question.source,
        next(name for name, limit in SIZES.items() if share < limit),
        _dice(mask, _filled(box, (height, width))) if present else np.nan,
        _dice(mask, answer) if present else np.nan,
        float(quality[0]),
        presence_of(sam, embedding, prompt, window.size),
        present,
    )


def _dice(mask: NDArray[np.bool_], answer: NDArray[np.bool_]) -> float:
    value = dice(mask, answer)
    return float("nan") if value is None else value


def _within(window: Window, box: Box, mask: NDArray[np.bool_]) -> Prompt:
    """A box in pixels of the image, as a prompt in pixels of the window."""
    x, y = window.left, window.top
    positive = centre_of_mass(mask)
    return Prompt((box[0] - x, box[1] - y, box[2] - x, box[3] - y), (positive[0] - x, positive[1] - y), ())


def _filled(box: Box, size: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=bool)
    x0, y0, x1, y1 = (max(0, round(edge)) for edge in box)
    mask[y0:y1, x0:x1] = True
    return mask


@torch.inference_mode()
def presence_of(sam: Sam, embedding: Tensor, prompt: Prompt, size: tuple[int, int]) -> float:
    """The presence logit for a box on a crop (height, width); NaN for a model without that head."""
    rows, columns = input_size(sam, *size)
    scale = torch.tensor([columns / size[1], rows / size[0]] * 2, device=sam.device)
    box = torch.tensor([prompt.box], device=sam.device) * scale
    sparse, dense = sam.prompt_encoder(None, box, None)
    image = embedding.to(sam.device, torch.float32)[None]
    answers = decode(sam.mask_decoder, image, sam.prompt_encoder.get_dense_pe(), sparse, dense)
    return float("nan") if answers.presence is None else float(answers.presence[0])


def summary(scores: Sequence[Score]) -> dict[str, float]:
    """Means over objects: Dice, that of the bare box and by size, the error of the IoU estimate, AUROC.

    `presence` is the area under the ROC curve of the presence logit; it is left out where it is not known.
    """
    there = [score for score in scores if score.present]
    values = np.array([score.dice for score in there])
    quality = np.array([score.quality for score in there])
    found = {
        "objects": len(there),
        "bare": float(np.mean([score.bare for score in there])),
        "dice": float(values.mean()),
        "iou_error": float(np.abs(quality - values / (2 - values)).mean()),
    }
    for name in SIZES:
        of_size = [score.dice for score in there if score.size == name]
        if of_size:
            found[f"dice_{name}"] = float(np.mean(of_size))
    area = auroc([s.presence for s in there], [s.presence for s in scores if not s.present])
    if not np.isnan(area):
        found["presence"] = area
    return {name: round(value, 4) for name, value in found.items()}


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Area under the ROC curve of the values of two groups; NaN where a group is empty or a value unknown."""
    if not positive or not negative or np.isnan([*positive, *negative]).any():
        return float("nan")
    return float(mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative)))


def by_source(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """`summary` of each source."""
    sources = sorted({score.source for score in scores})
    return {source: summary([s for s in scores if s.source == source]) for source in sources}


def overall(summaries: Mapping[str, Mapping[str, float]]) -> float:
    """The figure by which a checkpoint is chosen: mean Dice, every source counted the same."""
    return float(np.mean([found["dice"] for found in summaries.values()]))
