"""Train a first network on X^n and some more cases, as if an annotator had corrected these."""

import tempfile
from dataclasses import asdict
from pathlib import Path

from job import checkpoint_beside, job
from samcarry.networks.statistics import subset_statistics
from samcarry.networks.supervised import train
from samcarry.networks.training_data import gather
from samcarry.networks.training_loop import TrainingSettings
from samcarry.networks.unet import save_unet
from samcarry.review.label_gain import added_cases, read_ranking
from samcarry.storage.stacks import pairs_of, read_header

with job(snakemake) as this, tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    settings = TrainingSettings(**params.training)
    ranking = read_ranking(given.doubt, params.hidden)
    cases = [*params.cases, *added_cases(wildcards.draw, ranking, params.k)]
    data = gather(pairs_of(given.images, given.masks), cases, Path(scratch))
    classes = read_header(given.masks[0]).classes
    statistics = subset_statistics(data.images, data.masks, cases, classes, params.max_positive_weight)
    model, seed = snakemake.output.model, int(wildcards.seed)
    checkpoint = checkpoint_beside(model, settings, seed, cases, params.code, *map(Path, given))
    network, _ = train(data, statistics, settings, seed=seed, device=this.device, checkpoint=checkpoint)
    fed = {"size": data.images.shape[1:], "window": params.window}
    save_unet(model, network, {**asdict(statistics), **fed, "made_by": this.made_by})
    checkpoint.path.unlink(missing_ok=True)
