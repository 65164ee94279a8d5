"""Refinement on crops: each object is asked for on a part of the image that SAM sees enlarged.

Beyond the paper. A tooth or a carpal bone takes up a few percent of a radiograph. On a crop, SAM sees it at
several times that size. P can be SAM's first mask prompt, and it can be averaged with SAM's answer. In a
further round, the answer takes the place of P, so that a box that was wrong becomes better.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from samcarry.prompting.cleaning import most_likely_component, most_likely_components
from samcarry.prompting.prompts import Box, Prompt, extract_prompts
from samcarry.runtime.batching import in_batches
from samcarry.runtime.device import Precision, autocast, batch_size_for
from samcarry.sam.answers import SINGLE_MASK, THREE_MASKS, Answers
from samcarry.sam.crops import Window, input_size, whole, window_around
from samcarry.sam.decoder import decode
from samcarry.sam.encoder import encode_images
from samcarry.sam.inputs import fill_square, squeezes, to_sam_input
from samcarry.sam.official import Sam
from samcarry.sam.quality import Refined
from samcarry.sam.refinement import SAM_LOGIT_LIMIT, prompt_parts
from samcarry.storage.probabilities import foreground

NEAREST_NEGATIVES = 8
"""Negative points that a crop gets at most: those nearest to its positive point."""

JITTER = 0.05
"""Standard deviation by which each side of a further box is moved, as a share of the box's extent."""


@dataclass(frozen=True)
class ZoomSettings:
    """How SAM is asked; the schema gives meaning, units and defaults."""

    first: str
    second: str | None
    zoom: float | None
    prior: str  # "none" or "P"
    fuse: float
    multimask: bool
    prompts: int
    rounds: int = 1


@dataclass(frozen=True)
class View:
    """One object's crop, and where it is.

    Attributes:
        window: the crop in pixels of the image.
        image: (height, width) of the image.
        network: (height, width) of the prepared image, in whose pixels prompts and masks are.
        rows: rows that the crop takes in SAM's square input.
        columns: its columns there.
    """

    window: Window
    image: tuple[int, int]
    network: tuple[int, int]
    rows: int
    columns: int

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of SAM's input per pixel of the prepared image, along x and y."""
        height, width = self.window.size
        return (
            self.columns / width * self.image[1] / self.network[1],
            self.rows / height * self.image[0] / self.network[0],
        )

    @property
    def origin(self) -> tuple[float, float]:
        """The crop's upper left corner (x, y) in pixels of the prepared image."""
        return (
            self.window.left * self.network[1] / self.image[1],
            self.window.top * self.network[0] / self.image[0],
        )

    def into_input(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (..., 2) as x, y in pixels of the prepared image -> in pixels of SAM's input."""
        return (points - np.array(self.origin)) * np.array(self.scale)


def view_of(
    box: Box,
    zoom: float | None,
    image: tuple[int, int],
    network: tuple[int, int],
    side: int,
    *,
    squeezed: bool = False,
) -> View:
    """The crop for a box in pixels of the prepared image; the whole image if `zoom` is None.

    Args:
        box: the prompt.
        zoom: side of the crop, as a multiple of the box's longer side in pixels of the image.
        image: (height, width) of the image that crops are cut from.
        network: (height, width) of the prepared image.
        side: of SAM's square input in pixels.
        squeezed: whether both sides of a crop fill the input; else its longer side does.
    """
    along_x, along_y = image[1] / network[1], image[0] / network[0]
    x0, y0, x1, y1 = box
    scaled = (x0 * along_x, y0 * along_y, x1 * along_x, y1 * along_y)
    window = whole(image) if zoom is None else window_around(scaled, zoom, image)
    return View(window, image, network, *input_size(window, side, squeezed=squeezed))


def embed_views(sam: Sam, image: NDArray[np.uint8], views: Sequence[View], precision: Precision) -> Tensor:
    """Embeddings (K, C, rows, columns) of crops of one image (height, width), on SAM's device."""

    def embed_batch(crops: Sequence[Tensor]) -> Tensor:
        with autocast(precision, sam.device):
            return encode_images(sam.image_encoder, torch.cat(list(crops))).float()

    crops = (to_sam_input(sam, [fill_square(sam, image[view.window.view])]) for view in views)
    return torch.stack(list(in_batches(embed_batch, crops, batch_size_for(sam.device, cpu=1, gpu=16))))


@torch.inference_mode()
def refine_on_crops(
    sam: Sam,
    image: NDArray[np.uint8],
    prompts: Sequence[Prompt | None],
    probabilities: NDArray[np.uint8],
    settings: ZoomSettings,
    *,
    precision: Precision = "float32",
    embedding: Tensor | None = None,
    at_once: int | None = None,
) -> Refined:
    """Redraw every present class of one case.

    Args:
        sam: the model, with SAM's own protocol.
        image: grey values (height, width) to cut crops from, at any resolution.
        prompts: one entry per class in pixels of the prepared image, None = absent.
        probabilities: P times 255, (class, height, width) of the prepared image.
        settings: how to ask.
        precision: number format in which the image encoder computes.
        embedding: of the whole image, (C, rows, columns), if it is known; used only without zoom.
        at_once: prompts per call of the decoder; None = suitable for the device.

    Raises:
        ValueError: the first pass has neither box, points nor a mask.
    """
    one_round = partial(_round, sam, image, settings, precision, embedding, at_once)
    logits, quality = one_round(prompts, probabilities)
    for _ in range(settings.rounds - 1):
        answer = as_probabilities(logits)
        logits, quality = one_round(extract_prompts(most_likely_components(answer)), answer)
    return Refined(logits > sam.mask_threshold, quality)


def as_probabilities(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Probabilities times 255 of log-odds of any shape: one round's answer as the next one's P."""
    return np.round(255 / (1 + np.exp(-logits))).astype(np.uint8)


def _round(
    sam: Sam,
    image: NDArray[np.uint8],
    settings: ZoomSettings,
    precision: Precision,
    embedding: Tensor | None,
    at_once: int | None,
    prompts: Sequence[Prompt | None],
    probabilities: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """SAM's and P's log-odds together (class, height, width), and SAM's IoU estimate (class,), of one round.

    An absent class is background everywhere, and has no estimate (NaN).
    """
    size = (probabilities.shape[1], probabilities.shape[2])
    present = [(index, prompt) for index, prompt in enumerate(prompts) if prompt is not None]
    fused = np.full(probabilities.shape, -SAM_LOGIT_LIMIT, dtype=np.float32)
    quality = np.full(len(prompts), np.nan, dtype=np.float32)
    shape = (image.shape[0], image.shape[1])
    side, squeezed = sam.image_encoder.img_size, squeezes(sam)
    step = at_once or batch_size_for(sam.device, cpu=8, gpu=64)
    for start in range(0, len(present), step):
        chunk = present[start : start + step]
        indices, given = [index for index, _ in chunk], [prompt for _, prompt in chunk]
        views = [view_of(p.box, settings.zoom, shape, size, side, squeezed=squeezed) for p in given]
        if settings.zoom is not None:
            embedded = embed_views(sam, image, views, precision)
        else:
            if embedding is None:
                embedding = embed_views(sam, image, views[:1], precision)[0]
            embedded = embedding.to(sam.device, torch.float32)[None]
        initial = torch.from_numpy(initial_logits(probabilities[indices])).to(sam.device)
        logits, estimate = ask_for_logits(sam, embedded, views, given, initial, settings)
        fused[indices] = (settings.fuse * logits + (1 - settings.fuse) * initial).cpu().numpy()
        quality[indices] = estimate.cpu().numpy()
    return fused, quality


def initial_logits(probabilities: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Log-odds of P (K, height, width); components other than the most likely one count as background.

    A component of another object would mislead SAM where it is a mask prompt, and survive where P is averaged
    with SAM's answer.
    """
    share = np.clip(probabilities.astype(np.float32) / 255, 0.5 / 255, 1 - 0.5 / 255)
    logits = np.log(share / (1 - share))
    for index, probability in enumerate(probabilities):
        component = most_likely_component(probability)
        if component is not None:
            logits[index][foreground(probability) & ~component] = -SAM_LOGIT_LIMIT
    return logits


def ask_for_logits(
    sam: Sam,
    embedded: Tensor,
    views: Sequence[View],
    prompts: Sequence[Prompt],
    initial: Tensor,
    settings: ZoomSettings,
) -> tuple[Tensor, Tensor]:
    """Logits (K, height, width) of the prepared image and estimated IoU (K,), averaged over boxes.

    Args:
        sam: the model.
        embedded: embeddings of the crops (K, C, rows, columns), or of the whole image (1, C, rows, columns).
        views: the crop of each prompt.
        prompts: K prompts.
        initial: log-odds of P, (K, height, width).
        settings: how to ask.
    """
    prior = mask_prompts(sam, initial, views) if settings.prior == "P" else None
    logits, estimates = [], []
    for attempt in range(settings.prompts):
        asked = [jittered(prompt, attempt, views[0].network) for prompt in prompts]
        low, estimate = _ask(sam, embedded, views, asked, settings.first, prior, settings.multimask)
        if settings.second is not None:
            low, estimate = _ask(sam, embedded, views, asked, settings.second, low, settings.multimask)
        logits.append(pasted(sam, low, views))
        estimates.append(estimate)
    return torch.stack(logits).mean(dim=0), torch.stack(estimates).mean(dim=0)


def jittered(prompt: Prompt, attempt: int, size: tuple[int, int]) -> Prompt:
    """The prompt itself in attempt 0, and one with another box in each further attempt.

    The same box gives the same further boxes, whatever else is asked.
    """
    if attempt == 0:
        return prompt
    x0, y0, x1, y1 = prompt.box
    rng = np.random.default_rng([attempt, *(round(edge) for edge in prompt.box)])
    extent = np.array([x1 - x0, y1 - y0] * 2)
    moved = np.array(prompt.box) + rng.normal(0, JITTER, 4) * extent
    limits = np.array([size[1], size[0]] * 2)
    return replace(prompt, box=tuple(np.clip(moved, 0, limits).tolist()))


def _ask(
    sam: Sam,
    embedded: Tensor,
    views: Sequence[View],
    prompts: Sequence[Prompt],
    kind: str,
    dense: Tensor | None,
    multimask: bool,
) -> tuple[Tensor, Tensor]:
    """One pass: low-resolution logits (K, h, w) and estimated IoU (K,); with `multimask` the best of three.

    Prompts with equally many points share a call. Filling up the others with SAM's "no point" (label -1)
    would change their answers, since the decoder attends to every point.
    """
    parts = prompt_parts(kind)
    if not parts & {"box", "pos"} and dense is None:
        raise ValueError(f"prompts of kind '{kind}' need a mask prompt")
    points = [_points_in_input(p, view, parts) for p, view in zip(prompts, views, strict=True)]
    boxes = [view.into_input(np.reshape(p.box, (2, 2))) for p, view in zip(prompts, views, strict=True)]
    low = torch.empty(len(prompts), *sam.prompt_encoder.mask_input_size, device=sam.device)
    quality = torch.empty(len(prompts), device=sam.device)
    for count in sorted({len(found) for found in points}):
        places = [place for place, found in enumerate(points) if len(found) == count]
        given_boxes = given_points = None
        if "box" in parts:
            given_boxes = _on_device([boxes[place] for place in places], sam).reshape(-1, 4)
        if count:
            labels = torch.tensor([[1] + [0] * (count - 1)] * len(places), device=sam.device)
            given_points = _on_device([points[place] for place in places], sam), labels
        masks = None if dense is None else dense[places, None]
        with autocast("float32", sam.device):
            sparse, embedded_mask = sam.prompt_encoder(given_points, given_boxes, masks)
            answers = decode(
                sam.mask_decoder,
                embedded if len(embedded) == 1 else embedded[places],
                sam.prompt_encoder.get_dense_pe(),
                sparse,
                embedded_mask[:1] if masks is None else embedded_mask,
                THREE_MASKS if multimask else SINGLE_MASK,
            )
        low[places], quality[places] = best_by_estimate(answers)
    return low, quality


def best_by_estimate(answers: Answers) -> tuple[Tensor, Tensor]:
    """The mask (K, h, w) with the highest estimated IoU of each prompt, and that estimate (K,)."""
    quality, best = answers.quality.max(dim=1)
    return answers.logits[torch.arange(len(best), device=best.device), best], quality


def _points_in_input(prompt: Prompt, view: View, parts: frozenset[str]) -> NDArray[np.float64]:
    """Points (N, 2) in pixels of SAM's input, the positive one first.

    Negative points outside the crop are left out. A crop gets only the nearest of the others; the whole image
    gets all.
    """
    if "pos" not in parts:
        return np.empty((0, 2))
    positive = view.into_input(np.array([prompt.positive]))
    if "neg" not in parts or not prompt.negative:
        return positive
    negative = view.into_input(np.array(prompt.negative))
    negative = negative[((negative >= 0) & (negative < [view.columns, view.rows])).all(axis=1)]
    if view.window != whole(view.image):
        distance = np.linalg.norm(negative - positive, axis=1)
        negative = negative[np.argsort(distance, kind="stable")[:NEAREST_NEGATIVES]]
    return np.concatenate([positive, negative])


def _on_device(coordinates: Sequence[NDArray[np.float64]], sam: Sam) -> Tensor:
    return torch.tensor(np.stack(coordinates), dtype=torch.float32, device=sam.device)


def mask_prompts(sam: Sam, logits: Tensor, views: Sequence[View]) -> Tensor:
    """Logits (K, height, width) of the prepared image as dense prompts (K, h, w) of its crops.

    Cells beyond the crop are background.
    """
    rows, columns = sam.prompt_encoder.mask_input_size
    return cut_logits(logits, views, (rows, columns), sam.image_encoder.img_size / columns)


def cut_logits(logits: Tensor, views: Sequence[View], cells: tuple[int, int], cell: float) -> Tensor:
    """As `mask_prompts`, for any number of cells (rows, columns), each `cell` pixels of SAM's input wide."""
    rows, columns = cells
    limited = logits.clamp(-SAM_LOGIT_LIMIT, SAM_LOGIT_LIMIT)
    result = torch.full((len(views), rows, columns), -SAM_LOGIT_LIMIT, device=logits.device)
    for place, view in enumerate(views):
        x, y = _centres(columns) * cell, _centres(rows) * cell
        x, y = x[x < view.columns], y[y < view.rows]
        sampled = _sample(
            limited[place],
            x / view.scale[0] + view.origin[0],
            y / view.scale[1] + view.origin[1],
            view.network,
        )
        result[place, : len(y), : len(x)] = sampled
    return result


def pasted(sam: Sam, low: Tensor, views: Sequence[View]) -> Tensor:
    """Low-resolution logits (K, h, w) of crops at the size of the prepared image (K, height, width).

    Pixels beyond a crop are background.
    """
    side = sam.image_encoder.img_size
    enlarged = F.interpolate(low[:, None], (side, side), mode="bilinear", align_corners=False)[:, 0]
    height, width = views[0].network
    result = torch.full((len(views), height, width), -SAM_LOGIT_LIMIT, device=low.device)
    for place, view in enumerate(views):
        x = (_centres(width) - view.origin[0]) * view.scale[0]
        y = (_centres(height) - view.origin[1]) * view.scale[1]
        columns = slice(*np.searchsorted(x, [0, view.columns]))
        rows = slice(*np.searchsorted(y, [0, view.rows]))
        sampled = _sample(enlarged[place], x[columns], y[rows], (view.rows, view.columns))
        result[place, rows, columns] = sampled
    return result


def _centres(count: int) -> NDArray[np.float64]:
    return np.arange(count, dtype=np.float64) + 0.5


def _sample(values: Tensor, x: NDArray[np.float64], y: NDArray[np.float64], limit: tuple[int, int]) -> Tensor:
    """Bilinear samples (len(y), len(x)) of `values` (height, width) at continuous coordinates.

    Coordinates are clamped to the centres of the pixels of the first `limit` rows and columns.
    """
    height, width = values.shape
    relative_x = x.clip(0.5, limit[1] - 0.5) / width * 2 - 1
    relative_y = y.clip(0.5, limit[0] - 0.5) / height * 2 - 1
    grid = np.stack(np.meshgrid(relative_x, relative_y), axis=-1)[None].astype(np.float32)
    sampled = F.grid_sample(
        values[None, None], torch.from_numpy(grid).to(values.device), mode="bilinear", align_corners=False
    )
    return sampled[0, 0]
