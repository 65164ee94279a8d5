"""nnU-Net's names, environment variables and printed output."""

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

_NETWORKS = "dynamic_network_architectures.architectures."
DATASET_NAME = "Dataset001_samcarry"
PLANS_NAME = "nnUNetPlans"
GREY_OFFSET = 1
"""Added to grey values in training and prediction; see `planning` for the reason."""


@dataclass(frozen=True)
class Plan:
    """nnU-Net's plans.json and dataset.json as dictionaries, without paths of this machine.

    `dataset` also holds, under 'samcarry', the names of cases and classes and a digest of the data.

    Raises:
        ValueError: the plan names a network or an operation that is not one of nnU-Net's. nnU-Net imports and
            calls whatever a plan names.
    """

    plans: dict[str, Any]
    dataset: dict[str, Any]

    def __post_init__(self) -> None:
        for configuration in self.plans.get("configurations", {}).values():
            if not (architecture := configuration.get("architecture")):  # it inherits that of another one
                continue
            arguments = architecture["arch_kwargs"]
            operations = [arguments[name] for name in architecture["_kw_requires_import"]]
            foreign = [name for name in operations if name and not name.startswith("torch.nn.")]
            if not (network := architecture["network_class_name"]).startswith(_NETWORKS):
                foreign.append(network)
            if foreign:
                raise ValueError(f"its plan names {foreign[0]!r}")

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the network's outputs."""
        return tuple(self.dataset["samcarry"]["classes"])


def import_variables(threads: int) -> dict[str, str]:
    """Environment variables that nnU-Net reads when it is imported."""
    return {"nnUNet_def_n_proc": str(threads), "nnUNet_compile": "f", "nnUNet_wandb_enabled": "0"}


def set_environment(folder: Path, results: Path, threads: int, workers: int) -> None:
    """Set nnU-Net's folders and number of workers, for which it reads only environment variables."""
    os.environ.update(
        import_variables(threads),
        nnUNet_raw=str((folder / "raw").resolve()),
        nnUNet_preprocessed=str((folder / "preprocessed").resolve()),
        nnUNet_results=str(results.resolve()),
        nnUNet_n_proc_DA=str(workers),
    )


@contextlib.contextmanager
def silence_nnunet() -> Iterator[None]:
    """Capture what nnU-Net prints, mostly banners; log the end of it if an unexpected error occurs."""
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            yield
    except InputError:
        raise
    except Exception:
        log.error("nnU-Net's last output: %s", output.getvalue()[-2000:])
        raise
