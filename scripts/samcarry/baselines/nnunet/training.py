"""Training of nnU-Net as a comparison method (paper §3.1): nnunetv2, 2-D, with a choice of the loss.

nnU-Net's own code augments and trains, on the data that `planning.make_plan` preprocessed.
"""

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from samcarry.baselines.nnunet.environment import DATASET_NAME, Plan, set_environment, silence_nnunet
from samcarry.errors import DamagedError, InputError
from samcarry.runtime.processes import end_with_parent
from samcarry.storage.files import write_text
from samcarry.storage.model_files import write_model
from samcarry.storage.tables import write_table
from samcarry.storage.texts import read_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NnunetSettings:
    """Settings of the training besides the plan; the config schema gives meaning and defaults.

    `loss` is 'default' (Dice and binary cross-entropy of each class) or 'bce'.
    """

    epochs: int
    iterations_per_epoch: int
    validation_iterations: int
    mirroring: bool
    loss: str


@dataclass(frozen=True)
class Trained:
    """The result of a training: weights, and (iteration, learning rate, loss) of each epoch."""

    weights: dict[str, Tensor]
    curve: list[tuple[int, float, float]]


def train(
    plan: Plan,
    settings: NnunetSettings,
    folder: Path,
    work: Path,
    *,
    seed: int,
    device: str,
    threads: int,
    workers: int,
    fingerprint: str,
) -> Trained:
    """Train on the data that `make_plan` preprocessed; resume from nnU-Net's checkpoint if possible.

    Args:
        plan: the result of `make_plan`.
        settings: length and mirroring.
        folder: the folder given to `make_plan`.
        work: folder for checkpoints; the caller removes it once the weights are saved.
        seed: seed of weights, batches and augmentation.
        device: 'cpu' or 'cuda'.
        threads: number of torch threads.
        workers: processes that load and augment; only 0 (this process) is reproducible.
        fingerprint: digest of data, settings and code; checkpoints with another one are ignored.

    Raises:
        InputError: the preprocessed data are incomplete or belong to another plan, or the training diverged.
    """
    _check_preprocessed(plan, folder)
    _drop_if_stale(work, fingerprint)
    set_environment(folder, work, threads, workers)
    if workers:
        os.register_at_fork(after_in_child=end_with_parent)  # nnU-Net forks its workers
    with silence_nnunet():
        trainer = _resume(plan, settings, seed, device)
        if trainer.current_epoch < settings.epochs:
            trainer.run_training()
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in trainer.network.named_parameters()
    }
    return Trained(weights, _curve(trainer, settings))


def _curve(trainer: Any, settings: NnunetSettings) -> list[tuple[int, float, float]]:
    rates, losses = (trainer.logger.get_value(name, step=None) for name in ("lrs", "train_losses"))
    # nnU-Net's Dice loss is 0 to -1. Shares of a loss have a meaning only if the best loss is 0.
    shift = 1 if settings.loss == "default" else 0
    return [
        ((epoch + 1) * settings.iterations_per_epoch, float(rate), float(loss) + shift)
        for epoch, (rate, loss) in enumerate(zip(rates, losses, strict=True))
    ]


def write_curve(path: str | Path, trained: Trained) -> None:
    """Write the training curve as CSV (iteration, learning_rate, loss), atomically."""
    write_table(path, ("iteration", "learning_rate", "loss"), trained.curve)


def _check_preprocessed(plan: Plan, folder: Path) -> None:
    root = folder / "preprocessed" / DATASET_NAME
    data = root / plan.plans["configurations"]["2d"]["data_identifier"]
    required = [root / "dataset_fingerprint.json"]
    for name in plan.dataset["dataset"]:
        required += [data / f"{name}{ending}" for ending in (".b2nd", "_seg.b2nd", ".pkl")]
    try:
        dataset = read_json(root / "dataset.json")
        matches = dataset["samcarry"] == plan.dataset["samcarry"]
    except (DamagedError, KeyError):
        matches = False
    if not matches or not all(path.is_file() for path in required):
        raise InputError(
            f"{root}: nnU-Net's preprocessed data are incomplete or belong to another plan. "
            f"Delete the folder {folder} and run the same command again to create them."
        )


def _drop_if_stale(work: Path, fingerprint: str) -> None:
    mark = work / "fingerprint"
    if work.exists() and (not mark.is_file() or mark.read_text() != fingerprint):
        log.info("%s was made with other data, settings or code: starting from scratch", work)
        shutil.rmtree(work)
    write_text(mark, fingerprint)


def _resume(plan: Plan, settings: NnunetSettings, seed: int, device: str) -> Any:
    """A trainer in the state of its last checkpoint, or a new one."""
    trainer = _trainer(plan, settings, seed, device)
    for kind in ("final", "latest"):
        path = Path(trainer.output_folder, f"checkpoint_{kind}.pth")
        if not path.is_file():
            continue
        try:
            trainer.load_checkpoint(str(path))
        except Exception as error:
            if isinstance(error, InputError) and not isinstance(error, DamagedError):
                raise  # the system cannot read it, which says nothing about its content
            log.warning("%s cannot be read (%s): starting from scratch", path, error)
            path.unlink()
            return _resume(plan, settings, seed, device)
        log.info("resuming at epoch %d (%s)", trainer.current_epoch, path)
        break
    return trainer


def _trainer(plan: Plan, settings: NnunetSettings, seed: int, device: str) -> Any:
    from samcarry.baselines.nnunet.trainer import NnunetTrainer

    torch.manual_seed(seed)
    plans = {**plan.plans, "continue_training": True}  # nnU-Net removes this key again
    trainer = NnunetTrainer(plans, "2d", "all", plan.dataset, torch.device(device))
    trainer.num_epochs = settings.epochs
    trainer.num_iterations_per_epoch = settings.iterations_per_epoch
    trainer.num_val_iterations_per_epoch = settings.validation_iterations
    trainer.seed, trainer.mirroring, trainer.loss_name = seed, settings.mirroring, settings.loss
    trainer.save_every = 1
    trainer.logger.plot_progress_png = lambda folder: None
    trainer.initialize()
    return trainer


def save_nnunet(
    path: str | Path,
    weights: Mapping[str, Tensor],
    plan: Plan,
    settings: NnunetSettings,
    metadata: Mapping[str, Any],
) -> None:
    """Write the weights as a model file, atomically; its metadata hold all that prediction needs."""
    complete = {
        **metadata,
        "cases": plan.dataset["samcarry"]["cases"],
        "classes": plan.classes,
        "mirroring": settings.mirroring,
        "plans": plan.plans,
        "dataset": plan.dataset,
    }
    write_model(path, weights, complete)
