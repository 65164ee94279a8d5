"""Training of the tiny SAM on drawn scenes with random prompts, two passes and IoU estimates.

Most steps use windows of half the side. With objects of the same size they cost a quarter, and a window keeps
its position in the full positional encoding, so that what is learned on windows also works on full images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from samcarry.prompting.prompts import bounding_box
from samcarry.sam.official import Sam
from samcarry.sam.tiny.model import GREY_MEAN, GREY_STD, IMAGE_SIZE, STRIDE
from samcarry.sam.tiny.scenes import Scene, draw_scene

WINDOW = IMAGE_SIZE // 2
LOW_RES = 4  # low-resolution mask cells per embedding cell and side
PROMPT_KINDS = ("box", "pos", "pos+neg", "box+pos", "box+pos+neg")
FIRST_SHARES = (0.6, 0.1, 0.12, 0.06, 0.12)
SECOND_SHARES = (0.35, 0.05, 0.45, 0.05, 0.1)


@dataclass(frozen=True)
class Recipe:
    """Settings of the training of the tiny SAM."""

    steps: int  # in total
    decay_steps: int  # the last steps, in which the learning rate falls to zero
    learning_rate: float = 1e-3
    warmup_steps: int = 150
    window_share: float = 0.75  # share of steps with windows; the others use full images
    windows: int = 8  # per step
    images: int = 3  # per step
    prompts: int = 12  # per window or image, at most
    second_pass_share: float = 0.8  # of the steps
    ema: float = 0.998  # decay of the moving average of the weights
    seed: int = 0


@dataclass(frozen=True)
class SceneBatch:
    """Scenes of one step; `offsets` are positions of windows in the full image, in pixels (x, y)."""

    scenes: list[Scene]
    offsets: list[tuple[int, int]]


class SceneBatches(Dataset[SceneBatch]):
    """The batch of each step, drawn from (seed, step), so that a resumed run sees the same batches."""

    def __init__(self, recipe: Recipe, first_step: int = 0) -> None:
        self.recipe, self.first_step = recipe, first_step

    def __len__(self) -> int:
        return self.recipe.steps - self.first_step

    def __getitem__(self, index: int) -> SceneBatch:
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, self.first_step + index])
        scenes, offsets = [], []
        windows = rng.random() < recipe.window_share
        for _ in range(recipe.windows if windows else recipe.images):
            if windows:
                cells = rng.integers(0, (IMAGE_SIZE - WINDOW) // STRIDE + 1, 2)
                offsets.append((int(cells[0]) * STRIDE, int(cells[1]) * STRIDE))
                scenes.append(draw_scene(rng, WINDOW, WINDOW, recipe.prompts))
            else:
                offsets.append((0, 0))
                scenes.append(draw_scene(rng, *random_aspect(rng), recipe.prompts))
        return SceneBatch(scenes, offsets)


def random_aspect(rng: np.random.Generator) -> tuple[int, int]:
    """A random height and width with the long side equal to the input's, as after SAM's resizing."""
    short = int(IMAGE_SIZE * rng.uniform(0.55, 1))
    return (IMAGE_SIZE, short) if rng.random() < 0.5 else (short, IMAGE_SIZE)


def to_tiny_sam_input(image: NDArray[np.uint8], side: int) -> Tensor:
    """Grey values (height, width) -> normalised (1, 3, side, side), padded below and right with zeros."""
    grey = (torch.from_numpy(image).float() - GREY_MEAN) / GREY_STD
    height, width = grey.shape
    return F.pad(grey, (0, side - width, 0, side - height)).expand(1, 3, side, side)


def jittered_boxes(masks: NDArray[np.bool_], rng: np.random.Generator, sigma: float) -> NDArray[np.float32]:
    """Boxes (K, 4; x0 y0 x1 y1) of masks (K, h, w), with each side moved by N(0, sigma · extent)."""
    boxes = np.empty((len(masks), 4), np.float32)
    for k, mask in enumerate(masks):
        boxes[k] = bounding_box(mask)
    extent = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    moved = boxes + rng.normal(0, sigma, boxes.shape) * extent
    low, high = np.minimum(moved[:, :2], moved[:, 2:]), np.maximum(moved[:, :2], moved[:, 2:])
    return np.concatenate([low, high], axis=1).astype(np.float32)


def _boxes(masks: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """Boxes as from an imperfect segmentation: shifted, too large or too small."""
    boxes = jittered_boxes(masks, rng, float(rng.choice([0.02, 0.05, 0.1, 0.15])))
    if rng.random() < 0.4:
        extent = boxes[:, 2:] - boxes[:, :2]
        grow = extent * rng.uniform(-0.1, 0.3) + rng.uniform(-1, 5)
        boxes[:, :2] -= grow / 2
        boxes[:, 2:] += grow / 2
    return boxes


def _points(masks: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """One point per mask, (K, 2) as x, y: near the centre of mass, or in a random pixel of the mask."""
    points = np.empty((len(masks), 2), np.float32)
    central = rng.random() < 0.6
    for k, mask in enumerate(masks):
        y, x = np.nonzero(mask)
        if central:
            centre = np.array([x.mean(), y.mean()])
            points[k] = centre + 0.5 + rng.normal(0, 0.05, 2) * [np.ptp(x) + 1, np.ptp(y) + 1]
        else:
            pick = rng.integers(len(x))
            points[k] = x[pick] + 0.5, y[pick] + 0.5
    return points


def draw_prompts(
    masks: NDArray[np.bool_], offset: tuple[int, int], kind: str, rng: np.random.Generator
) -> tuple[tuple[Tensor, Tensor] | None, Tensor | None]:
    """Points with labels, and boxes, of one prompt kind for all masks (K, h, w), for PromptEncoder."""
    shift = np.array(offset, np.float32)
    boxes = torch.from_numpy(_boxes(masks, rng) + np.tile(shift, 2)) if "box" in kind else None
    if "pos" not in kind:
        return None, boxes
    positive = _points(masks, rng) + shift
    count = len(masks)
    if "neg" not in kind:
        points, labels = positive[:, None], np.ones((count, 1))
    else:
        others = _points(masks, rng) + shift
        points = np.stack([np.vstack([positive[k], np.delete(others, k, 0)]) for k in range(count)])
        labels = np.zeros(points.shape[:2])
        labels[:, 0] = 1
    return (torch.from_numpy(points), torch.from_numpy(labels.astype(np.float32))), boxes


def decode_window(
    sam: Sam,
    embedding: Tensor,
    offset: tuple[int, int],
    points: tuple[Tensor, Tensor] | None,
    boxes: Tensor | None,
    logits: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Low-resolution logits (K, h, w) and estimated IoU (K,) on an embedding (1, C, rows, columns).

    `offset` is the position (x, y) of the embedded window in the full image, in pixels.
    """
    rows, columns = embedding.shape[-2:]
    x, y = offset[0] // STRIDE, offset[1] // STRIDE
    sparse, dense = sam.prompt_encoder(
        points=points, boxes=boxes, masks=None if logits is None else logits[:, None]
    )
    masks, quality = sam.mask_decoder(
        image_embeddings=embedding,
        image_pe=sam.prompt_encoder.get_dense_pe()[..., y : y + rows, x : x + columns],
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense[..., :rows, :columns],
        multimask_output=False,
    )
    return masks[:, 0], quality[:, 0]


def mask_loss(logits: Tensor, quality: Tensor, target: Tensor) -> Tensor:
    """Dice loss + BCE / 2 + squared error of the estimated IoU, averaged over K masks (K, h, w).

    The BCE of a mask is divided by its area, so that small objects have the same weight as large ones.
    """
    probability = logits.sigmoid()
    area = target.sum((1, 2))
    overlap = (probability * target).sum((1, 2))
    dice = 1 - (2 * overlap + 1) / (probability.sum((1, 2)) + area + 1)
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum((1, 2))
    with torch.no_grad():
        predicted, reference = logits > 0, target > 0.5
        union = (predicted | reference).sum((1, 2)).clamp(min=1)
        iou = (predicted & reference).sum((1, 2)) / union
    return (dice + 0.5 * bce / (area + 8) + F.mse_loss(quality, iou, reduction="none")).mean()


def low_resolution(masks: NDArray[np.bool_], side: int) -> Tensor:
    """The covered share (K, side/3, side/3) of each low-resolution cell of masks (K, h, w)."""
    full = torch.from_numpy(masks).float()
    full = F.pad(full, (0, side - full.shape[2], 0, side - full.shape[1]))
    return F.avg_pool2d(full, STRIDE // LOW_RES)


def batch_loss(sam: Sam, batch: SceneBatch, recipe: Recipe, step: int) -> Tensor:
    """Mean loss of all scenes and passes of one step."""
    rng = np.random.default_rng([recipe.seed, step, 1])
    side = WINDOW if batch.scenes[0].image.shape == (WINDOW, WINDOW) else IMAGE_SIZE
    images = torch.cat([to_tiny_sam_input(scene.image, side) for scene in batch.scenes])
    embeddings = sam.image_encoder(images)
    two_passes = rng.random() < recipe.second_pass_share
    losses = []
    for k, (scene, offset) in enumerate(zip(batch.scenes, batch.offsets, strict=True)):
        target = low_resolution(scene.masks, side)
        embedding = embeddings[k : k + 1]
        prompts = draw_prompts(scene.masks, offset, rng.choice(PROMPT_KINDS, p=FIRST_SHARES), rng)
        logits, quality = decode_window(sam, embedding, offset, *prompts, logits=None)
        losses.append(mask_loss(logits, quality, target))
        if two_passes:
            kind = rng.choice(PROMPT_KINDS, p=SECOND_SHARES)
            prompts = draw_prompts(scene.masks, offset, kind, rng)
            logits, quality = decode_window(sam, embedding, offset, *prompts, logits=logits.detach())
            losses.append(mask_loss(logits, quality, target))
    return torch.stack(losses).mean()


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step: linear warm-up, plateau, linear fall to 0 in `decay_steps`."""
    rise = min(1.0, (step + 1) / recipe.warmup_steps)
    fall = min(1.0, (recipe.steps - step) / max(recipe.decay_steps, 1))
    return recipe.learning_rate * rise * fall


def warmup_ema(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An averaging function for `AveragedModel`: a moving average that is faster in the first steps.

    The update after k earlier ones has a decay of k / (k + 9), at most `decay`.
    """

    def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        return averaged.lerp(current, 1 - min(decay, int(updates) / (int(updates) + 9)))

    return average
