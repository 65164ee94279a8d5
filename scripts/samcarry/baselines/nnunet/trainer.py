"""nnU-Net's trainer with binary cross-entropy alone (paper §3.1), reproducible, quiet, safe to kill.

This imports nnunetv2, which takes seconds: `samcarry.nnunet` does it where it is needed.
"""

import logging
import random
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import Tensor, nn

from samcarry.errors import InputError
from samcarry.runtime.progress import duration

log = logging.getLogger(__name__)


class BinaryCrossEntropy(nn.Module):
    """Mean binary cross-entropy of logits (B, C, H, W) and targets of that shape, bool."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Both (B, C, H, W) -> a number."""
        return nn.functional.binary_cross_entropy_with_logits(logits, target.float())


class BCETrainer(nnUNetTrainer):
    """nnU-Net as it is, but for its loss.

    The attributes below are set after construction, for nnU-Net does not let a subclass have
    parameters of its own.
    """

    seed: int
    mirroring: bool
    _began: float
    _first_epoch: int

    def _build_loss(self) -> nn.Module:
        count = len(self._get_deep_supervision_scales())
        weights = np.array([1 / 2**scale for scale in range(count)])
        if count > 1:  # nnU-Net leaves out the coarsest scale, but images of 8 x 8 have no other
            weights[-1] = 0
        return DeepSupervisionWrapper(BinaryCrossEntropy(), weights / weights.sum())

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple[Any, ...]:  # noqa: N802
        """As nnU-Net has it, but that mirroring can be off, in training and in prediction."""
        *others, axes = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        if not self.mirroring:
            axes = self.inference_allowed_mirroring_axes = None
        return (*others, axes)

    @staticmethod
    def get_training_transforms(*args: Any, **kwargs: Any) -> Any:
        """As nnU-Net has them, but that none looks at the clock."""
        transforms = nnUNetTrainer.get_training_transforms(*args, **kwargs)
        for entry in transforms.transforms:
            inner: Any = getattr(entry, "transform", None)
            if hasattr(inner, "benchmark"):  # the blur picks its algorithm by the clock
                inner.benchmark = False
        return transforms

    def on_train_start(self) -> None:
        """Note when and at which epoch this run began."""
        super().on_train_start()
        self._began, self._first_epoch = time.monotonic(), self.current_epoch

    def on_train_epoch_start(self) -> None:
        """Give each epoch its own seed: a resumed training is the one that was never killed."""
        seed = (self.seed * 100_003 + self.current_epoch) % 2**32
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        super().on_train_epoch_start()

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """Keep quiet about the Dice of a class that the batch lacks, which is 0 / 0."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            super().on_validation_epoch_end(val_outputs)

    def on_epoch_end(self) -> None:
        """Log a line."""
        super().on_epoch_end()
        done = self.current_epoch
        spent = time.monotonic() - self._began
        left = spent / (done - self._first_epoch) * (self.num_epochs - done)
        loss = self.logger.get_value("train_losses", step=-1)
        log.info("epoch %d of %d, loss %.4f, %s left", done, self.num_epochs, loss, duration(left))

    def on_train_end(self) -> None:
        """Save, unless the weights are worth nothing."""
        for name, tensor in self.network.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise InputError(f"nnU-Net's training diverged ({name} is not finite): try another seed")
        super().on_train_end()

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint whole or not at all.

        Not the 'best' one: it goes by a Dice on training images, since nnU-Net is given no others here.
        """
        if Path(filename).name != "checkpoint_best.pth":
            super().save_checkpoint(f"{filename}.tmp")
            Path(f"{filename}.tmp").replace(filename)

    def print_to_log_file(self, *args: Any, **kwargs: Any) -> None:
        """Tell the log, if it wants to know everything."""
        log.debug(" ".join(str(arg) for arg in args))

    def _save_debug_information(self) -> None:
        """Nothing: it would hold the machine's name and paths."""
