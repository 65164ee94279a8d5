"""Train Mean Teacher from f_θ; only unlabelled images on which SAM agrees with the teacher count."""

from samcarry.baselines.mean_teacher import MeanTeacherSettings, train_mean_teacher
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import open_embeddings
from samcarry.sam.selection import select_by_sam
from training_job import training_job

with training_job(snakemake) as this, open_embeddings(*snakemake.input.embeddings) as embedding_of:
    given, params, data = snakemake.input, snakemake.params, this.labelled()
    sam = load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.job.device)
    network, curve = train_mean_teacher(
        data,
        this.unlabelled(),
        this.statistics,
        this.settings,
        MeanTeacherSettings(**params.mean_teacher),
        start=this.start(),
        select=select_by_sam(sam, embedding_of, params.unlabelled, params.agreement),
        **this.run,
    )
    this.save(network, curve, data, window=params.window)
