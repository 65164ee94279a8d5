"""Train a U-Net from f_θ by weak-to-strong consistency on labelled and unlabelled cases."""

import tempfile
from dataclasses import asdict
from pathlib import Path

from job import checkpoint_beside, job
from samcarry.baselines.fixmatch import FixMatchSettings, train_fixmatch
from samcarry.networks.statistics import read_statistics
from samcarry.networks.training_data import gather, gather_unlabelled
from samcarry.networks.training_loop import TrainingSettings, write_curve
from samcarry.networks.unet import load_unet, save_unet
from samcarry.storage.stacks import pairs_of, read_stack

with job(snakemake) as this, tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
    given, params = snakemake.input, snakemake.params
    statistics = read_statistics(given.statistics)
    settings = TrainingSettings(**params.training)
    few = gather(pairs_of(given.images, given.masks), params.cases, Path(scratch, "few"))
    many = gather_unlabelled(
        map(read_stack, given.unlabelled), params.unlabelled, len(statistics.classes), Path(scratch, "many")
    )
    model, seed = snakemake.output.model, int(snakemake.wildcards.seed)
    checkpoint = checkpoint_beside(model, settings, params.fixmatch, seed, params.code, *map(Path, given))
    network, curve = train_fixmatch(
        few, many, statistics, settings, FixMatchSettings(**params.fixmatch),
        start=load_unet(given.start, this.device)[0], seed=seed, device=this.device, checkpoint=checkpoint,
    )  # fmt: skip
    write_curve(snakemake.output.curve, curve)
    fed = {"size": few.images.shape[1:], "window": params.window}
    about = {**asdict(statistics), **fed, "made_by": this.made_by}
    save_unet(model, network, about)
    checkpoint.path.unlink(missing_ok=True)
