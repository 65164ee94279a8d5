"""The frame that the trainings of networks share: read data, resume, write curve and model."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job import Job, fingerprint, job
from samcarry.images.preparation import preparation
from samcarry.images.training_look import measure_look
from samcarry.networks.subset_statistics import SubsetStatistics, read_statistics
from samcarry.networks.training_data import TrainingData, gather, gather_unlabelled
from samcarry.networks.training_loop import Checkpoint, Step, TrainingSettings, write_curve
from samcarry.networks.unet import UNet, load_unet, save_unet
from samcarry.storage.stacks import pairs_of, read_stack

CHECKPOINT_SECONDS = 20.0
"""A killed training loses at most the work of this time."""


@dataclass(frozen=True)
class TrainingJob:
    """What the script of a training asks for."""

    job: Job
    snakemake: Any
    scratch: Path
    settings: TrainingSettings
    run: dict[str, Any]  # seed, device and checkpoint, as every training takes them
    images: list[NDArray[np.uint8]] = field(default_factory=list)  # all that it has asked for

    @property
    def statistics(self) -> SubsetStatistics:
        """Mean, deviation and class weights of the subset."""
        return read_statistics(self.snakemake.input.statistics)

    def labelled(self, cases: Sequence[str] | None = None) -> TrainingData:
        """Images and masks of `cases`, by default those of the rule."""
        given = self.snakemake.input
        chosen = self.snakemake.params.cases if cases is None else cases
        classes = self.statistics.classes if given.get("statistics") else None
        pairs, soft = pairs_of(given.images, given.masks, classes), self.snakemake.params.get("soft", False)
        data = gather(pairs, chosen, self.scratch / "labelled", soft=soft)
        self.images.append(data.images)
        self.job.log.info(
            "training on %d cases with %d threads on %s", len(data.images), self.job.threads, self.job.device
        )
        return data

    def unlabelled(self) -> TrainingData:
        """Images of the unlabelled cases."""
        given, params = self.snakemake.input, self.snakemake.params
        count = len(self.statistics.classes)
        stacks = map(read_stack, given.unlabelled)
        data = gather_unlabelled(stacks, params.unlabelled, count, self.scratch / "unlabelled")
        self.images.append(data.images)
        return data

    def start(self) -> UNet | None:
        """The network that training starts from, on the device; None = random weights."""
        given = self.snakemake.input
        return load_unet(given.start, self.job.device)[0] if given.get("start") else None

    def save(
        self,
        network: Any,
        curve: Sequence[Step],
        data: TrainingData,
        statistics: SubsetStatistics | None = None,
        write: Callable[[str, Any, dict[str, Any]], None] = save_unet,
        **about: Any,
    ) -> None:
        """Write the curve, if the rule has one, and the model with its origin; delete the checkpoint.

        The model file also says what its images went through and what they look like, for `samcarry predict`.
        """
        made = self.snakemake.output
        if made.get("curve"):
            write_curve(made.curve, curve)
        about |= {"size": data.images.shape[1:], "made_by": self.job.made_by}
        params = self.snakemake.params
        about["preparation"] = preparation(params.get("mirrored"), params.get("text_masked", False))
        about["training_look"] = measure_look(self.images)
        write(made.model, network, {**asdict(statistics or self.statistics), **about})
        self.run["checkpoint"].path.unlink(missing_ok=True)


def checkpoint_of(snakemake: Any) -> Checkpoint:
    """The checkpoint beside the rule's model, bound to its inputs and settings."""
    settings, seed = sorted(snakemake.params.items()), int(snakemake.wildcards.seed)
    origin = fingerprint(settings, seed, *map(Path, snakemake.input))
    return Checkpoint(Path(snakemake.output.model).with_name("checkpoint.pt"), CHECKPOINT_SECONDS, origin)


@contextlib.contextmanager
def training_job(snakemake: Any) -> Iterator[TrainingJob]:
    """A job (see `job.job`) with a scratch folder and a checkpoint bound to its inputs and settings."""
    with job(snakemake) as this, tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
        yield TrainingJob(
            this,
            snakemake,
            Path(scratch),
            TrainingSettings(**snakemake.params.training),
            {
                "seed": int(snakemake.wildcards.seed),
                "device": this.device,
                "checkpoint": checkpoint_of(snakemake),
            },
        )
