"""The comparison with nnU-Net (paper §3.1): nnunetv2 itself, 2-D, binary cross-entropy alone.

It trains, augments and predicts as the framework does, from what `nnunet_plan` made.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from samcarry.baselines.nnunet.environment import NAME, Plan, hushed, set_environment
from samcarry.errors import InputError
from samcarry.runtime.processes import end_with_parent
from samcarry.storage.files import write_text
from samcarry.storage.model_files import write_model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NnunetSettings:
    """What the training depends on besides the plan; the config's schema gives meaning and defaults."""

    epochs: int
    iterations_per_epoch: int
    validation_iterations: int
    mirroring: bool


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
) -> dict[str, Tensor]:
    """Train as planned on what `make_plan` preprocessed; go on from nnU-Net's own checkpoint if there is one.

    Args:
        plan: what `make_plan` gave.
        settings: length and mirroring.
        folder: the one given to `make_plan`.
        work: gets the checkpoints; the caller removes it when the weights are safe.
        seed: of weights, batches and augmentation.
        device: 'cpu' or 'cuda'.
        threads: of torch.
        workers: processes that load and augment; 0 does it here, the only way that is reproducible.
        fingerprint: of data, settings and code; a checkpoint with another one is not taken up.

    Returns:
        The network's weights.

    Raises:
        InputError: the preprocessed data are incomplete or of another plan, or the training diverged.
    """
    _check_preprocessed(plan, folder)
    _drop_if_stale(work, fingerprint)
    set_environment(folder, work, threads, workers)
    if workers:
        os.register_at_fork(after_in_child=end_with_parent)  # its workers
    with hushed():
        trainer = _resume(plan, settings, seed, device)
        if trainer.current_epoch < settings.epochs:
            trainer.run_training()
    return {name: tensor.detach().cpu().contiguous() for name, tensor in trainer.network.named_parameters()}


def _check_preprocessed(plan: Plan, folder: Path) -> None:
    root = folder / "preprocessed" / NAME
    data = root / plan.plans["configurations"]["2d"]["data_identifier"]
    wanted = [root / "dataset_fingerprint.json"]
    for name in plan.dataset["dataset"]:
        wanted += [data / f"{name}{ending}" for ending in (".b2nd", "_seg.b2nd", ".pkl")]
    try:
        ours = (
            json.loads((root / "dataset.json").read_text(encoding="utf-8"))["samcarry"]
            == plan.dataset["samcarry"]
        )
    except (OSError, ValueError, KeyError):
        ours = False
    if not ours or not all(path.is_file() for path in wanted):
        raise InputError(
            f"{root}: what nnU-Net preprocessed is incomplete or of another plan. "
            f"Delete the folder {folder} and run the same command again: it is made anew."
        )


def _drop_if_stale(work: Path, fingerprint: str) -> None:
    mark = work / "fingerprint"
    if work.exists() and (not mark.is_file() or mark.read_text() != fingerprint):
        log.info("%s is from other data, settings or code: starting anew", work)
        shutil.rmtree(work)
    write_text(mark, fingerprint)


def _resume(plan: Plan, settings: NnunetSettings, seed: int, device: str) -> Any:
    """A trainer as its last checkpoint left it, or a fresh one."""
    trainer = _trainer(plan, settings, seed, device)
    for kind in ("final", "latest"):
        path = Path(trainer.output_folder, f"checkpoint_{kind}.pth")
        if not path.is_file():
            continue
        try:
            trainer.load_checkpoint(str(path))
        except Exception as error:
            log.warning("%s cannot be read (%s): starting anew", path, error)
            path.unlink()
            return _resume(plan, settings, seed, device)
        log.info("going on from epoch %d (%s)", trainer.current_epoch, path)
        break
    return trainer


def _trainer(plan: Plan, settings: NnunetSettings, seed: int, device: str) -> Any:
    from samcarry.baselines.nnunet.trainer import BCETrainer

    torch.manual_seed(seed)
    plans = {**plan.plans, "continue_training": True}  # nnU-Net takes this key out again
    trainer = BCETrainer(plans, "2d", "all", plan.dataset, torch.device(device))
    trainer.num_epochs = settings.epochs
    trainer.num_iterations_per_epoch = settings.iterations_per_epoch
    trainer.num_val_iterations_per_epoch = settings.validation_iterations
    trainer.seed, trainer.mirroring = seed, settings.mirroring
    trainer.save_every = 1
    trainer.logger.plot_progress_png = lambda folder: None
    trainer.initialize()
    return trainer


def save_nnunet(
    path: str | Path,
    weights: Mapping[str, Tensor],
    plan: Plan,
    settings: NnunetSettings,
    about: Mapping[str, Any],
) -> None:
    """Write weights as safetensors, atomically, with all that predicting needs (JSON) in the metadata."""
    everything = {
        **about,
        "cases": plan.dataset["samcarry"]["cases"],
        "classes": plan.classes,
        "mirroring": settings.mirroring,
        "plans": plan.plans,
        "dataset": plan.dataset,
    }
    write_model(path, weights, everything)
