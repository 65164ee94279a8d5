"""Tuning of a SAM on X^n: the whole network of a small SAM, the mask decoder of an official one.

Beyond the paper, which uses SAM unchanged. Each step asks for objects on crops of labelled images, with
prompts that have the errors of a network with few labels, and moves SAM's answers towards the labels. The
moving average of the weights is scored several times on cases that are not trained on. The result is the best
of all states, including the untuned one.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from samcarry.adaptation.labelled_images import LabelledImage, draw_batch
from samcarry.networks.training_loop import Checkpoint, LoopSettings, Step, train_loop
from samcarry.runtime.memory_maps import scratch_array
from samcarry.sam.encoder import embedding_shape, encode_images
from samcarry.sam.inputs import squeezes
from samcarry.sam.official import Sam
from samcarry.sam.small.samples import Batch, Mixture, normalised
from samcarry.sam.small.training import Schedule, batch_loss
from samcarry.storage.tables import write_table

AVERAGE = 0.99
"""Weight of the past in the moving average of the weights."""

CACHED_BATCHES = 64
"""Different batches of a training with a frozen encoder: ViT-H takes 2 MB per crop, SAM 2.1 takes 8 MB."""

PRIOR_SHARE = 0.7
"""Share of the steps in which the first pass has a rough P as mask prompt."""


@dataclass(frozen=True, kw_only=True)
class AdaptationSettings(LoopSettings):
    """The `adapt` block of the config; the schema gives meaning, units and defaults."""

    batch_size: int
    scored: int

    @property
    def remedy(self) -> str:
        """What to do if the loss is not finite."""
        return f"lower adapt.learning_rate ({self.learning_rate:g}) in the config"


@dataclass(frozen=True)
class Score:
    """Mean Dice of the weights after some steps, 0..1; step 0 is the untuned SAM."""

    step: int
    dice: float


def write_scores(path: str | Path, scores: Sequence[Score]) -> None:
    """Write the scores as CSV (step, dice), atomically."""
    write_table(path, ("step", "dice"), ((score.step, f"{score.dice:.4f}") for score in scores))


class Best(nn.Module):
    """The best state of the tuned part, and all scores; saved in the checkpoint like a network."""

    steps: Tensor
    scores: Tensor

    def __init__(self, part: nn.Module, count: int) -> None:
        super().__init__()
        self.part = deepcopy(part).requires_grad_(False)
        self.register_buffer("steps", torch.full((count,), -1, dtype=torch.long))
        self.register_buffer("scores", torch.zeros(count, dtype=torch.float64))

    def add(self, step: int, score: float, part: nn.Module) -> None:
        """Keep the weights of `part` if no earlier state scored as high."""
        known = self.steps >= 0
        if not known.any() or score > self.scores[known].max():
            self.part.load_state_dict(part.state_dict())
        place = int(known.sum())
        self.steps[place], self.scores[place] = step, score

    def history(self) -> list[Score]:
        """The scores in order."""
        known = self.steps >= 0
        return [
            Score(*pair) for pair in zip(self.steps[known].tolist(), self.scores[known].tolist(), strict=True)
        ]


def adapt(
    sam: Sam,
    images: Sequence[LabelledImage],
    score_of: Callable[[Sam], float] | None,
    settings: AdaptationSettings,
    *,
    whole: bool,
    seed: int,
    checkpoint: Checkpoint,
    scratch: Path,
) -> tuple[Sam, list[Step], list[Score]]:
    """Tune a SAM.

    Args:
        sam: the model on its device; it is left unchanged.
        images: labelled images.
        score_of: returns the mean Dice of a SAM on cases that are not trained on; None = there are none, and
            the last state is the result.
        settings: length, learning rate, and how often the weights are scored.
        whole: whether the image encoder is tuned too.
        seed: of crops and prompts.
        checkpoint: where to save the tuning and resume it from.
        scratch: folder for the embeddings of a frozen encoder; the caller removes it.

    Returns:
        The best SAM, in evaluation mode; the training curve; and the scores, first that of the untuned SAM.

    Raises:
        InputError: the loss is not finite, or no image has an object that is large enough.
    """
    # An encoder that is not tuned is not copied, averaged or saved: that of ViT-H takes 2.5 GB.
    untuned: nn.Module = sam if whole else sam.mask_decoder
    part = deepcopy(untuned).requires_grad_(True).train()
    average = AveragedModel(part, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
    average.update_parameters(part)
    best = Best(untuned, settings.scored + 1)
    tuned = _with_part(sam, part)
    averaged = _with_part(sam, average.module.eval().requires_grad_(False))
    side, (cells, _) = sam.image_encoder.img_size, sam.prompt_encoder.mask_input_size
    mixture = Mixture(
        side,
        settings.batch_size,
        whole_share=0.0,
        nothing_share=0.2,
        seed=seed,
        cell=side / cells if side % cells else side // cells,
        squeezed=squeezes(sam),
    )
    schedule = Schedule(
        settings.iterations, settings.iterations, settings.learning_rate, prior_share=PRIOR_SHARE, seed=seed
    )

    embedding_of = None if whole else _CachedEmbeddings(sam, settings.batch_size, scratch)

    shown = [image for image in images if len(image.bits)]

    def loss_of(step: int) -> Tensor:
        if step == 0 and score_of is not None:
            best.add(0, score_of(sam), untuned)
        # With a frozen encoder, batches repeat, so that each embedding is computed once.
        drawn = step if whole else step % CACHED_BATCHES
        batch = draw_batch(seed, drawn, shown, mixture).to(sam.device)
        embeddings = None if embedding_of is None else embedding_of(drawn, batch)
        return batch_loss(tuned, batch, schedule, step, nullcontext(), embeddings)

    def after_step() -> None:
        average.update_parameters(part)
        step = int(average.n_averaged) - 1
        if score_of is not None and step in scored_steps(settings):
            best.add(step, score_of(averaged), average.module)

    networks = {"tuned": part, "average": average, "best": best}
    curve = train_loop(loss_of, networks, part, settings, checkpoint, after_step)
    if score_of is None:
        return averaged, curve, []
    return _with_part(sam, best.part.eval()), curve, best.history()


def scored_steps(settings: AdaptationSettings) -> set[int]:
    """The steps after which the weights are scored: evenly spread, the last one among them."""
    return {round(settings.iterations * (k + 1) / settings.scored) for k in range(settings.scored)}


class _CachedEmbeddings:
    """Embeddings of the batches of a frozen encoder, float16 in a file, each computed once."""

    def __init__(self, sam: Sam, batch_size: int, scratch: Path) -> None:
        self.sam, self.known = sam, set[int]()
        shape = (CACHED_BATCHES, batch_size, *embedding_shape(sam))
        self.array = scratch_array(scratch, np.float16, shape)

    @torch.no_grad()
    def __call__(self, place: int, batch: Batch) -> Tensor:
        """Embeddings (B, C, rows, columns) of a batch, which is always the same at a place."""
        if place not in self.known:
            inputs = normalised(self.sam, batch.images, batch.sizes)
            self.array[place] = encode_images(self.sam.image_encoder, inputs).half().cpu().numpy()
            self.known.add(place)
        return torch.from_numpy(self.array[place]).to(self.sam.device, torch.float32)


def _with_part(sam: Sam, part: nn.Module) -> Sam:
    """A SAM with a tuned part: `part` itself if that is a SAM, else `sam`'s encoders with it as decoder."""
    if isinstance(part, Sam):
        return part
    shared = {id(encoder): encoder for encoder in (sam.image_encoder, sam.prompt_encoder)}
    return deepcopy(sam, {**shared, id(sam.mask_decoder): part})
