"""Evaluation of a SAM: Dice of masks from jittered boxes and points on images with known masks."""

from collections.abc import Iterable

import numpy as np

from samcarry.evaluation.dice import dice
from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.sam.embedding import embed
from samcarry.sam.official import Sam
from samcarry.sam.refinement import decode_prompts, full_size
from samcarry.sam.tiny.scenes import Scene, draw_scene
from samcarry.sam.tiny.training import jittered_boxes, random_aspect

HELD_OUT_SEED = 20_000_000  # training scenes are drawn from (seed, step) with small seeds


def score_on_scenes(sam: Sam, count: int = 48) -> dict[str, float]:
    """`score` on `count` held-out drawn scenes."""
    rng = np.random.default_rng(HELD_OUT_SEED)
    return score(sam, [draw_scene(rng, *random_aspect(rng)) for _ in range(count)])


def score(sam: Sam, scenes: Iterable[Scene], sigma: float = 0.05) -> dict[str, float]:
    """Mean Dice over all masks for several kinds of prompts, with box sides moved by N(0, sigma).

    `sigma` is relative to the extent of the box. Keys of the result: `bare_box` (the jittered box itself as
    the mask), `box` (first pass), `box_pos_neg` (box, then self-refinement with points), `pos` (one point),
    and `quality_error`, the mean absolute difference between estimated and true IoU of `box_pos_neg`.
    """
    rng = np.random.default_rng(HELD_OUT_SEED + 1)
    found: dict[str, list[float]] = {
        name: [] for name in ("bare_box", "box", "box_pos_neg", "pos", "quality_error")
    }
    for scene in scenes:
        size = scene.image.shape
        boxes = jittered_boxes(scene.masks, rng, sigma)
        exact = [prompt for prompt in extract_prompts(scene.masks) if prompt is not None]
        prompts = [
            Prompt(tuple(box.tolist()), prompt.positive, prompt.negative)
            for box, prompt in zip(boxes, exact, strict=True)
        ]
        embedding = embed(sam, scene.image)
        box_logits, _ = decode_prompts(sam, embedding, prompts, "box", size)
        logits, quality = decode_prompts(sam, embedding, prompts, "pos+neg", size, box_logits)
        point_logits, _ = decode_prompts(sam, embedding, prompts, "pos", size)
        predictions = {
            "bare_box": _filled(boxes, size),
            "box": full_size(sam, box_logits, size),
            "box_pos_neg": full_size(sam, logits, size),
            "pos": full_size(sam, point_logits, size),
        }
        for name, masks in predictions.items():
            found[name] += [dice(one, other) or 0.0 for one, other in zip(scene.masks, masks, strict=True)]
        dices = np.array(found["box_pos_neg"][-len(boxes) :])
        iou = dices / (2 - dices)
        found["quality_error"] += np.abs(quality.cpu().numpy() - iou).tolist()
    return {name: round(float(np.mean(values)), 4) for name, values in found.items()}


def _filled(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    masks = np.zeros((len(boxes), *size), dtype=bool)
    for mask, (x0, y0, x1, y1) in zip(masks, np.round(boxes).astype(int).clip(0), strict=True):
        mask[y0:y1, x0:x1] = True
    return masks
