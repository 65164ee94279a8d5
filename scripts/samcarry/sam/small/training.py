"""Training of the small SAM: what it is asked in a step, the loss, the schedule."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from samcarry.sam.answers import Answers
from samcarry.sam.decoder import decode
from samcarry.sam.official import Sam
from samcarry.sam.small.samples import NEGATIVES, Batch, normalised

PROMPT_KINDS = ("box", "pos", "pos+neg", "box+pos", "box+pos+neg", "mask")
FIRST_SHARES = (0.62, 0.07, 0.11, 0.06, 0.14, 0.0)
PRIOR_SHARES = (0.45, 0.02, 0.15, 0.06, 0.22, 0.1)  # where a mask prompt is given too


@dataclass(frozen=True)
class Schedule:
    """How long, and how fast.

    Attributes:
        steps: in all.
        decay_steps: the last ones, over which the learning rate falls to zero.
        learning_rate: of AdamW, on the plateau.
        warmup_steps: the first ones, over which it rises.
        prior_share: of the first passes have a rough mask as mask prompt.
        second_pass_share: of the steps ask again with the first answer as mask prompt.
        ema: weight of the past in the moving average of the weights.
        seed: of all random numbers.
    """

    steps: int
    decay_steps: int
    learning_rate: float = 5e-4
    warmup_steps: int = 100
    prior_share: float = 0.5
    second_pass_share: float = 0.6
    ema: float = 0.999
    seed: int = 0


def rate_at(schedule: Schedule, step: int, left: float = 1.0) -> float:
    """The learning rate of a step: a rise, a plateau, and a straight fall to zero.

    Args:
        schedule: the plan.
        step: from 0 on.
        left: share of the fall that a time budget still leaves, 0..1; 1 = it has not begun.
    """
    rise = min(1.0, (step + 1) / schedule.warmup_steps)
    fall = min(1.0, (schedule.steps - step) / max(schedule.decay_steps, 1))
    return schedule.learning_rate * rise * max(0.0, min(fall, left))


def embedded_prompts(
    sam: Sam, batch: Batch, kind: str, negatives: int, dense: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sparse (K, N, C) and dense (K, C, h, w) embeddings of all prompts of a batch, asked in one way.

    Args:
        sam: the model.
        batch: the prompts.
        kind: one of PROMPT_KINDS.
        negatives: how many negative points are given where the kind has any.
        dense: logits of a mask prompt, (K, h, w), or None.
    """
    parts = frozenset(kind.split("+"))
    points = None
    if "pos" in parts:
        count = 1 + (negatives if "neg" in parts else 0)
        labels = torch.zeros(len(batch.boxes), count, device=batch.boxes.device)
        labels[:, 0] = 1
        points = (batch.points[:, :count], labels)
    boxes = batch.boxes if "box" in parts else None
    sparse, embedded = sam.prompt_encoder(points, boxes, None if dense is None else dense[:, None])
    return sparse, embedded


def ask(
    sam: Sam, embeddings: Tensor, batch: Batch, kind: str, negatives: int, dense: Tensor | None
) -> Answers:
    """Answers to all prompts of a batch, on the embeddings (B, C, h, w) of its crops."""
    sparse, embedded = embedded_prompts(sam, batch, kind, negatives, dense)
    image_pe = sam.prompt_encoder.get_dense_pe()
    masks = range(sam.mask_decoder.num_mask_tokens)
    return decode(sam.mask_decoder, embeddings[batch.owner], image_pe, sparse, embedded, masks)


def mask_errors(logits: Tensor, targets: Tensor) -> Tensor:
    """Dice loss plus binary cross-entropy relative to the object's area, (K, M).

    Args:
        logits: M masks for each of K prompts, (K, M, h, w).
        targets: covered shares, (K, h, w).
    """
    target = targets[:, None]
    probability = logits.sigmoid()
    area = target.sum((2, 3))
    overlap = (probability * target).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / (probability.sum((2, 3)) + area + 1)
    entropy = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    return dice + 0.5 * entropy.sum((2, 3)) / (area + 8)


@torch.no_grad()
def true_iou(logits: Tensor, targets: Tensor) -> Tensor:
    """IoU (K, M) of masks (K, M, h, w) and covered shares (K, h, w), both cut in the middle."""
    answer, reference = logits > 0, (targets > 0.5)[:, None]
    union = (answer | reference).sum((2, 3)).clamp(min=1)
    return (answer & reference).sum((2, 3)) / union


def answer_loss(answers: Answers, batch: Batch) -> Tensor:
    """The loss of one pass.

    The single mask, the best of the three others (at 0.3), the estimated IoU of all four, and presence if
    the model has that head. Where nothing is there, only presence counts.
    """
    present = batch.present
    presence: Tensor | float = 0.0
    if answers.presence is not None:
        presence = F.binary_cross_entropy_with_logits(answers.presence, present.float())
    logits, targets = answers.logits[present], batch.targets[present]
    errors = mask_errors(logits, targets)
    masks = errors[:, 0]
    if errors.shape[1] > 1:
        masks = masks + 0.3 * errors[:, 1:].amin(dim=1)
    quality = (answers.quality[present] - true_iou(logits, targets)).abs().mean(dim=1)
    return (masks + 0.5 * quality).mean() + 0.25 * presence


def batch_loss(
    sam: Sam,
    batch: Batch,
    schedule: Schedule,
    step: int,
    precision: AbstractContextManager[object],
    embeddings: Tensor | None = None,
) -> Tensor:
    """Mean loss of the passes of one step; how it asks depends on (seed, step) only.

    Args:
        sam: the model.
        batch: crops and prompts.
        schedule: the plan.
        step: from 0 on.
        precision: the context in which the networks compute.
        embeddings: of the crops, (B, C, h, w); None = the image encoder computes them.
    """
    rng = np.random.default_rng([schedule.seed, step, 1])
    with_prior = rng.random() < schedule.prior_share
    kind = str(rng.choice(PROMPT_KINDS, p=PRIOR_SHARES if with_prior else FIRST_SHARES))
    negatives = int(rng.integers(1, NEGATIVES + 1))
    with precision:
        if embeddings is None:
            embeddings = sam.image_encoder(normalised(sam, batch.images, batch.sizes))
        first = ask(sam, embeddings, batch, kind, negatives, batch.priors if with_prior else None)
    losses = [answer_loss(_in_float32(first), batch)]
    if rng.random() < schedule.second_pass_share:
        kind = str(rng.choice(PROMPT_KINDS, p=PRIOR_SHARES))
        with precision:
            dense = first.logits[:, 0].detach().float()
            second = ask(sam, embeddings, batch, kind, negatives, dense)
        losses.append(answer_loss(_in_float32(second), batch))
    return torch.stack(losses).mean()


def _in_float32(answers: Answers) -> Answers:
    presence = None if answers.presence is None else answers.presence.float()
    return Answers(answers.logits.float(), answers.quality.float(), presence)
