"""Train Mean Teacher from f_θ on labelled and unlabelled cases."""

from samcarry.baselines.mean_teacher import MeanTeacherSettings, train_mean_teacher
from training_job import training_job

with training_job(snakemake) as this:
    params, data = snakemake.params, this.labelled()
    network, curve = train_mean_teacher(
        data,
        this.unlabelled(),
        this.statistics,
        this.settings,
        MeanTeacherSettings(**params.mean_teacher),
        start=this.start(),
        **this.run,
    )
    this.save(network, curve, data, window=params.window)
