"""Train a U-Net from f_θ by weak-to-strong consistency on labelled and unlabelled cases."""

from samcarry.baselines.fixmatch import FixMatchSettings, train_fixmatch
from training_job import training_job

with training_job(snakemake) as this:
    params, data = snakemake.params, this.labelled()
    network, curve = train_fixmatch(
        data,
        this.unlabelled(),
        this.statistics,
        this.settings,
        FixMatchSettings(**params.fixmatch),
        start=this.start(),
        **this.run,
    )
    this.save(network, curve, data, window=params.window)
