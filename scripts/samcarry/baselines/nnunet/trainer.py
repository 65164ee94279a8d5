"""nnU-Net's trainer with its default loss, or with binary cross-entropy as the only one (paper §3.1).

It is reproducible, and can be killed and resumed at any time. This module imports nnunetv2, which takes
seconds, so it is imported inside functions.
"""

import logging
import random
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.dataloading import nnunet_dataset
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import Tensor, nn

from samcarry.baselines.nnunet.pickles import read_checkpoint, read_properties
from samcarry.errors import InputError
from samcarry.runtime.progress import duration
from samcarry.storage.states import write_state

log = logging.getLogger(__name__)
nnunet_dataset.load_pickle = read_properties  # nnU-Net has no setting for it; workers are forked


class BinaryCrossEntropy(nn.Module):
    """Mean binary cross-entropy of logits and bool targets, both (B, C, H, W)."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits and targets (B, C, H, W) -> a scalar."""
        return nn.functional.binary_cross_entropy_with_logits(logits, target.float())


class NnunetTrainer(nnUNetTrainer):
    """nnU-Net's trainer with either loss; everything else serves reproducibility and safe checkpoints.

    The attributes below are set after construction, because nnU-Net does not allow a subclass to have
    parameters of its own.
    """

    seed: int
    mirroring: bool
    loss_name: str  # 'default' or 'bce'
    _started: float
    _first_epoch: int

    def _build_loss(self) -> nn.Module:
        count = len(self._get_deep_supervision_scales())
        weights = np.array([1 / 2**scale for scale in range(count)])
        if count > 1:  # nnU-Net omits the coarsest scale, but images of 8 x 8 have no other one
            weights[-1] = 0
        if self.loss_name == "default":
            with np.errstate(invalid="ignore"):  # nnU-Net divides 0 by 0 if there is one scale
                loss = super()._build_loss().loss
        else:
            loss = BinaryCrossEntropy()
        return DeepSupervisionWrapper(loss, weights / weights.sum())

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple[Any, ...]:  # noqa: N802
        """Configure as nnU-Net does, with the option to switch off mirroring in training and prediction."""
        *others, axes = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        if not self.mirroring:
            axes = self.inference_allowed_mirroring_axes = None
        return (*others, axes)

    @staticmethod
    def get_training_transforms(*args: Any, **kwargs: Any) -> Any:
        """nnU-Net's transforms without the one choice that depends on timing."""
        transforms = nnUNetTrainer.get_training_transforms(*args, **kwargs)
        for entry in transforms.transforms:
            inner: Any = getattr(entry, "transform", None)
            if hasattr(inner, "benchmark"):  # the blur chooses its algorithm by timing
                inner.benchmark = False
        return transforms

    def on_train_start(self) -> None:
        """Record when and at which epoch this run started."""
        super().on_train_start()
        self._started, self._first_epoch = time.monotonic(), self.current_epoch

    def on_train_epoch_start(self) -> None:
        """Give each epoch its own seed, so that a resumed training equals an uninterrupted one."""
        seed = (self.seed * 100_003 + self.current_epoch) % 2**32
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        super().on_train_epoch_start()

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """Suppress the warning about the Dice of a class that is absent in the batch (0 / 0)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            super().on_validation_epoch_end(val_outputs)

    def on_epoch_end(self) -> None:
        """Log the epoch, its loss and the time left."""
        super().on_epoch_end()
        done = self.current_epoch
        elapsed = time.monotonic() - self._started
        left = elapsed / (done - self._first_epoch) * (self.num_epochs - done)
        loss = self.logger.get_value("train_losses", step=-1)
        log.info("epoch %d of %d, loss %.4f, %s left", done, self.num_epochs, loss, duration(left))

    def on_train_end(self) -> None:
        """Save the weights, unless the training diverged."""
        for name, tensor in self.network.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise InputError(f"nnU-Net's training diverged ({name} is not finite): try another seed")
        super().on_train_end()

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint as a state, see `storage.states`.

        The 'best' one is not written: it is chosen by the Dice of training images, as nnU-Net has no others.
        """
        if Path(filename).name != "checkpoint_best.pth":
            write_state(filename, super().save_checkpoint)

    def load_checkpoint(self, filename: str) -> None:
        """Load a checkpoint, of which nnU-Net unpickles only what was found harmless.

        Raises:
            DamagedError: it is damaged.
        """
        checkpoint = read_checkpoint(filename)
        with tempfile.NamedTemporaryFile(suffix=".pth") as file:  # nnU-Net reads a file only
            torch.save(checkpoint, file.name)
            super().load_checkpoint(file.name)

    def print_to_log_file(self, *args: Any, **kwargs: Any) -> None:
        """Log nnU-Net's messages at debug level."""
        log.debug(" ".join(str(arg) for arg in args))

    def _save_debug_information(self) -> None:
        """Write nothing: the file would contain the machine's name and paths."""
