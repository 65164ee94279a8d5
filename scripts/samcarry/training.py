"""The one training routine of all U-Nets (paper §3.1), resumable at any moment.

Every random number of an iteration comes from (seed, iteration), so that a resumed training is
the training that was never killed, bit for bit on a CPU with the same number of threads.
"""

import csv
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from samcarry.errors import InputError
from samcarry.files import atomic
from samcarry.progress import duration
from samcarry.shards import TrainingData
from samcarry.subset import SubsetStatistics
from samcarry.unet import UNet

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSettings:
    """The `training` block of the config; the schema gives meaning, units and defaults."""

    width: int
    depth: int
    iterations: int
    iterations_per_epoch: int
    batch_size: int
    learning_rate: float
    final_learning_rate: float
    affine_sigma: float


@dataclass(frozen=True)
class Step:
    """One line of the training curve: an epoch's mean loss."""

    iteration: int
    learning_rate: float
    loss: float


def train(
    data: TrainingData,
    statistics: SubsetStatistics,
    settings: TrainingSettings,
    *,
    seed: int,
    device: str,
    checkpoint: Path,
    checkpoint_seconds: float,
    fingerprint: str,
) -> tuple[UNet, list[Step]]:
    """Train a U-Net from scratch with weighted BCE, Adam and a cosine over epochs.

    Args:
        data: N training cases; a batch is drawn from them with replacement.
        statistics: of X^n: normalisation and class weights.
        settings: length, size and learning rate.
        seed: of the weights, the batches and the augmentation.
        device: 'cpu' or 'cuda'.
        checkpoint: file to go on from, if its fingerprint is ours, and to save to on the way.
        checkpoint_seconds: how often it is saved.
        fingerprint: identifies data, settings and code; another one starts anew.

    Returns:
        The network in its last state, in evaluation mode, and its training curve.

    Raises:
        InputError: the loss is not finite.
    """
    torch.manual_seed(seed)
    network = UNet(len(statistics.classes), settings.width, settings.depth).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    weight = torch.tensor(statistics.positive_weight, device=device)[:, None, None]
    first, curve = _resume(checkpoint, fingerprint, network, optimiser)
    began = last_saved = time.monotonic()
    losses: list[Tensor] = []
    for iteration in range(first, settings.iterations):
        epoch, within = divmod(iteration, settings.iterations_per_epoch)
        rate = cosine(settings, epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        images, masks = _batch(data, statistics, settings, seed, iteration, device)
        loss = F.binary_cross_entropy_with_logits(network(images), masks, pos_weight=weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
        done = iteration + 1
        if within + 1 < settings.iterations_per_epoch and done < settings.iterations:
            continue
        mean_loss = torch.stack(losses).mean().item()
        losses = []
        if not np.isfinite(mean_loss):
            raise InputError(
                f"the loss is {mean_loss} at iteration {done}: lower training.learning_rate "
                f"({settings.learning_rate:g}) or training.max_positive_weight in the config"
            )
        curve.append(Step(done, rate, mean_loss))
        now = time.monotonic()
        if now - last_saved > checkpoint_seconds and done < settings.iterations:
            _save(checkpoint, fingerprint, network, optimiser, done, curve)
            last_saved = now
        if done == settings.iterations or epoch % max(1, _epochs(settings) // 20) == 0:
            left = (now - began) / (done - first) * (settings.iterations - done)
            log.info(
                "iteration %d of %d, loss %.4f, %s left",
                done, settings.iterations, mean_loss, duration(left),
            )  # fmt: skip
    return network.eval(), curve


def cosine(settings: TrainingSettings, epoch: int) -> float:
    """Learning rate of an epoch: from the first to the final one on half a cosine."""
    span = settings.learning_rate - settings.final_learning_rate
    progress = epoch / max(_epochs(settings) - 1, 1)
    return settings.final_learning_rate + span * (1 + float(np.cos(np.pi * progress))) / 2


def augment(images: Tensor, masks: Tensor, sigma: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Apply one random affine map a sample: identity + N(0, sigma) for each of its six numbers.

    Bilinear for images (B, 1, H, W), nearest for masks (B, C, H, W), zeros from outside.
    """
    theta = torch.eye(2, 3) + sigma * torch.randn(len(images), 2, 3, generator=generator)
    grid = F.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    return (
        F.grid_sample(images, grid, mode="bilinear", align_corners=False),
        F.grid_sample(masks, grid, mode="nearest", align_corners=False),
    )


def normalise(images: Tensor, mean: float, std: float) -> Tensor:
    """Grey values uint8 (B, H, W) -> (B, 1, H, W) with the mean and deviation of X^n."""
    return ((images.float() / 255 - mean) / std)[:, None]


@torch.inference_mode()
def predict(
    network: UNet, images: NDArray[np.uint8], mean: float, std: float, batch_size: int = 8
) -> NDArray[np.uint8]:
    """Probabilities times 255 (N, class, H, W) of grey images uint8 (N, H, W)."""
    device = next(network.parameters()).device
    answers = []
    for start in range(0, len(images), batch_size):
        grey = torch.from_numpy(np.ascontiguousarray(images[start : start + batch_size])).to(device)
        logits = network(normalise(grey, mean, std))
        answers.append((logits.sigmoid() * 255).round().to(torch.uint8).cpu().numpy())
    return np.concatenate(answers)


def write_curve(path: str | Path, curve: Sequence[Step]) -> None:
    """Write the training curve as CSV: iteration, learning_rate, loss."""
    with atomic(path) as private, private.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["iteration", "learning_rate", "loss"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(step) for step in curve)


def _epochs(settings: TrainingSettings) -> int:
    return -(-settings.iterations // settings.iterations_per_epoch)


def _batch(
    data: TrainingData,
    statistics: SubsetStatistics,
    settings: TrainingSettings,
    seed: int,
    iteration: int,
    device: str,
) -> tuple[Tensor, Tensor]:
    """Normalised images and masks of one iteration, drawn with replacement and augmented."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + iteration)
    size = (settings.batch_size,)
    chosen = torch.randint(len(data.images), size, generator=generator).numpy()
    images = normalise(torch.from_numpy(data.images[chosen]).to(device), statistics.mean, statistics.std)
    masks = torch.from_numpy(data.masks[chosen]).to(device).float()
    return augment(images, masks, settings.affine_sigma, generator)


def _save(
    path: Path,
    fingerprint: str,
    network: UNet,
    optimiser: torch.optim.Adam,
    done: int,
    curve: list[Step],
) -> None:
    state = {
        "fingerprint": fingerprint,
        "iteration": done,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "curve": [(step.iteration, step.learning_rate, step.loss) for step in curve],
    }
    with atomic(path) as private:
        torch.save(state, private)


def _resume(
    path: Path, fingerprint: str, network: UNet, optimiser: torch.optim.Adam
) -> tuple[int, list[Step]]:
    """The iteration to go on with and the curve so far; 0 and [] if there is nothing to resume."""
    if not path.exists():
        return 0, []
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["fingerprint"] != fingerprint:
            log.info("%s is from other data, settings or code: starting anew", path)
            return 0, []
        curve = [Step(*values) for values in state["curve"]]
        done = int(state["iteration"])
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    except Exception as error:
        # Whatever is wrong with it, training anew gives the right result, without weights of half a file.
        network.load_state_dict(fresh)
        log.warning("%s cannot be read (%s): starting anew", path, error)
        return 0, []
    log.info("going on from iteration %d (%s)", done, path)
    return done, curve
