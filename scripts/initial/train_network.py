"""Train a U-Net: f_θ on labels, f_φ on pseudo labels, or the fully supervised one."""

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from job import checkpoint_beside, job
from samcarry.networks.label_weights import read_weights
from samcarry.networks.statistics import read_statistics
from samcarry.networks.supervised import train
from samcarry.networks.training_data import gather
from samcarry.networks.training_loop import TrainingSettings, write_curve
from samcarry.networks.unet import load_unet, save_unet
from samcarry.storage.stacks import pairs_of

with job(snakemake) as this, tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
    given, params = snakemake.input, snakemake.params
    statistics = read_statistics(given.statistics)
    settings = TrainingSettings(**params.training)
    data = gather(pairs_of(given.images, given.masks), params.cases, Path(scratch))
    if given.get("weights"):
        weights = read_weights(given.weights, params.cases, statistics.classes)
        data = replace(data, weights=weights)
    start = load_unet(given.start, this.device)[0] if given.get("start") else None
    this.log.info("training on %d cases with %d threads on %s", len(data.images), this.threads, this.device)
    model, seed = snakemake.output.model, int(snakemake.wildcards.seed)
    checkpoint = checkpoint_beside(model, settings, seed, params.cases, params.code, *map(Path, given))
    network, curve = train(
        data,
        statistics,
        settings,
        seed=seed,
        device=this.device,
        checkpoint=checkpoint,
        start=start,
    )
    fed = {"size": data.images.shape[1:], "window": params.window}
    about = {**asdict(statistics), **fed, "made_by": this.made_by}
    write_curve(snakemake.output.curve, curve)
    save_unet(model, network, about)
    checkpoint.path.unlink(missing_ok=True)
