"""The training loop: learning rate schedule, training curve, and checkpoints to resume from.

The methods differ in the loss of an iteration. The loss must draw all random numbers from (seed, iteration).
A resumed training then gives the same result as an uninterrupted one, bit for bit on a CPU with the same
number of threads.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from samcarry.errors import DamagedError, InputError
from samcarry.runtime.device import Precision, autocast
from samcarry.runtime.progress import duration
from samcarry.storage.states import read_state, write_state
from samcarry.storage.tables import write_table

log = logging.getLogger(__name__)
_Parts = Mapping[str, nn.Module | torch.optim.Optimizer]


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """Length and learning rate of a training; the schema gives meaning, units and defaults."""

    iterations: int
    iterations_per_epoch: int
    learning_rate: float
    final_learning_rate: float
    precision: Precision
    compile: bool

    @property
    def remedy(self) -> str:
        """What to do if the loss is not finite."""
        return f"lower the learning rate ({self.learning_rate:g}) in the config"


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(LoopSettings):
    """The `training` block of the config; the schema gives meaning, units and defaults."""

    width: int
    depth: int
    batch_size: int
    affine_sigma: float

    @property
    def remedy(self) -> str:
        """What to do if the loss is not finite."""
        rate = f"training.learning_rate ({self.learning_rate:g})"
        return f"lower {rate} or training.max_positive_weight in the config"


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often an unfinished training is saved.

    Attributes:
        path: the checkpoint file; the training resumes from it if its fingerprint is the same.
        seconds: least time between two saves.
        fingerprint: identifies data, settings and code; with another one the training starts from scratch.
    """

    path: Path
    seconds: float
    fingerprint: str


@dataclass(frozen=True)
class Step:
    """One row of the training curve: the mean loss of an epoch."""

    iteration: int
    learning_rate: float
    loss: float


def train_loop(
    loss_of: Callable[[int], Tensor],
    networks: Mapping[str, nn.Module],
    trained: nn.Module,
    settings: LoopSettings,
    checkpoint: Checkpoint,
    after_step: Callable[[], None] = lambda: None,
) -> list[Step]:
    """Train with Adam and a cosine schedule over epochs (paper §3.1).

    Args:
        loss_of: returns the loss of iteration 0, 1, …; called in an autocast context of `settings.precision`.
        networks: all networks that change, by name; they are saved in the checkpoint and restored from it.
        trained: the one among them whose parameters Adam optimises.
        settings: length and learning rate.
        checkpoint: where to save the training and resume it from.
        after_step: called after each step of Adam.

    Returns:
        The training curve; `networks` are left in their state after the last iteration.

    Raises:
        InputError: the loss is not finite, or the networks cannot be compiled on this machine.
    """
    trainable = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    in_precision = autocast(settings.precision, trainable[0].device)
    if settings.compile:
        for network in networks.values():
            network.compile()
    # `foreach` is torch's default on a GPU. On a CPU, it gives the same bits as the default in fewer calls.
    optimiser = torch.optim.Adam(trainable, lr=settings.learning_rate, foreach=True)
    parts: _Parts = {**networks, "optimiser": optimiser}
    first, curve = _resume(checkpoint, parts)
    started = last_saved = time.monotonic()
    losses: list[Tensor] = []
    for iteration in range(first, settings.iterations):
        epoch, within = divmod(iteration, settings.iterations_per_epoch)
        rate = cosine_learning_rate(settings, epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with _compile_error_reported(settings):
            with in_precision:
                loss = loss_of(iteration)
            optimiser.zero_grad()
            loss.backward()
        optimiser.step()
        after_step()
        losses.append(loss.detach())
        done = iteration + 1
        if within + 1 < settings.iterations_per_epoch and done < settings.iterations:
            continue
        curve.append(Step(done, rate, _finite_mean(losses, done, settings)))
        losses = []
        now = time.monotonic()
        if now - last_saved > checkpoint.seconds and done < settings.iterations:
            _save(checkpoint, parts, done, curve)
            last_saved = now
        if done == settings.iterations or epoch % max(1, _epochs(settings) // 20) == 0:
            left = (now - started) / (done - first) * (settings.iterations - done)
            log.info(
                "iteration %d of %d, loss %.4f, %s left",
                done,
                settings.iterations,
                curve[-1].loss,
                duration(left),
            )
    return curve


@contextmanager
def _compile_error_reported(settings: LoopSettings) -> Iterator[None]:
    """Turn a failed compilation, usually a missing compiler, into an InputError of one line."""
    try:
        yield
    except RuntimeError as error:
        if settings.compile and isinstance(error, torch._dynamo.exc.TorchDynamoException):
            reason = " ".join(str(error).split("\n\n")[0].split())
            raise InputError(
                f"the network cannot be compiled on this machine ({reason}): install what is missing, "
                "or set training.compile: false in the config"
            ) from error
        raise


def cosine_learning_rate(settings: LoopSettings, epoch: int) -> float:
    """The learning rate of an epoch: half a cosine from the first to the final rate.

    A pure function instead of torch's `CosineAnnealingLR`: a resumed training needs no scheduler state.
    """
    span = settings.learning_rate - settings.final_learning_rate
    progress = epoch / max(_epochs(settings) - 1, 1)
    return settings.final_learning_rate + span * (1 + float(np.cos(np.pi * progress))) / 2


def write_curve(path: str | Path, curve: Sequence[Step]) -> None:
    """Write the training curve as CSV (iteration, learning_rate, loss), atomically."""
    write_table(path, ("iteration", "learning_rate", "loss"), map(astuple, curve))


def _epochs(settings: LoopSettings) -> int:
    return math.ceil(settings.iterations / settings.iterations_per_epoch)


def _finite_mean(losses: Sequence[Tensor], done: int, settings: LoopSettings) -> float:
    mean = torch.stack(list(losses)).mean().item()
    if not np.isfinite(mean):
        raise InputError(f"the loss is {mean} at iteration {done}: {settings.remedy}")
    return mean


def _save(checkpoint: Checkpoint, parts: _Parts, done: int, curve: Sequence[Step]) -> None:
    state = {
        "fingerprint": checkpoint.fingerprint,
        "iteration": done,
        "curve": [(step.iteration, step.learning_rate, step.loss) for step in curve],
        **{name: part.state_dict() for name, part in parts.items()},
    }
    write_state(checkpoint.path, lambda stream: torch.save(state, stream))


def _resume(checkpoint: Checkpoint, parts: _Parts) -> tuple[int, list[Step]]:
    """The iteration to resume at and the curve so far; 0 and [] if there is nothing to resume."""
    path = checkpoint.path
    if not path.exists():
        return 0, []
    fresh = {name: deepcopy(part.state_dict()) for name, part in parts.items()}
    try:
        state = torch.load(read_state(path), map_location="cpu", weights_only=True)
        if state["fingerprint"] != checkpoint.fingerprint:
            log.info("%s was made with other data, settings or code: starting from scratch", path)
            return 0, []
        curve = [Step(*values) for values in state["curve"]]
        done = int(state["iteration"])
        for name, part in parts.items():
            part.load_state_dict(state[name])
    except Exception as error:
        if isinstance(error, InputError) and not isinstance(error, DamagedError):
            raise  # the system cannot read it, which says nothing about its content
        # Starting from scratch is always right; weights that were already loaded must not remain.
        for name, part in parts.items():
            part.load_state_dict(fresh[name])
        log.warning("%s cannot be read (%s): starting from scratch", path, error)
        return 0, []
    log.info("resuming at iteration %d (%s)", done, path)
    return done, curve
