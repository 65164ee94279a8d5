"""nnU-Net's names, environment variables and log output."""

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samcarry.errors import InputError

log = logging.getLogger(__name__)

NAME = "Dataset001_samcarry"
PLANS = "nnUNetPlans"
RAISE = 1
"""Added to grey values, for nnU-Net and for its predictions alike."""


@dataclass(frozen=True)
class Plan:
    """nnU-Net's plans.json and dataset.json as dictionaries, without any path of this machine.

    `dataset` also holds, under 'samcarry', the names of cases and classes and a digest of the data.
    """

    plans: dict[str, Any]
    dataset: dict[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the outputs."""
        return tuple(self.dataset["samcarry"]["classes"])


def constants(threads: int) -> dict[str, str]:
    """What nnU-Net reads from the environment when it is imported."""
    return {"nnUNet_def_n_proc": str(threads), "nnUNet_compile": "f", "nnUNet_wandb_enabled": "0"}


def set_environment(folder: Path, results: Path, threads: int, workers: int) -> None:
    """Tell nnU-Net its three folders and how many workers to start, by the only way that it offers."""
    os.environ.update(
        constants(threads),
        nnUNet_raw=str((folder / "raw").resolve()),
        nnUNet_preprocessed=str((folder / "preprocessed").resolve()),
        nnUNet_results=str(results.resolve()),
        nnUNet_n_proc_DA=str(workers),
    )


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep what nnU-Net prints, mostly banners, to ourselves; log its end if something goes wrong."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            yield
    except InputError:
        raise
    except Exception:
        log.error("nnU-Net's last words: %s", said.getvalue()[-2000:])
        raise
