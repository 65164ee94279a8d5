"""Train an LR-ASPP head on the frozen image encoder of the configured SAM."""

from samcarry.baselines.lraspp import save_lraspp, train_lraspp
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.folders import digest_of_checkpoint
from training_job import training_job

with training_job(snakemake) as this:
    given, entry = snakemake.input, snakemake.params.sam
    sam = load_sam(entry["model"], given.checkpoint, entry["sha256"], this.job.device)
    data = this.labelled()
    network, curve = train_lraspp(data, this.statistics, this.settings, sam, **this.run)
    encoder = {"model": entry["model"], "sha256": digest_of_checkpoint(given.checkpoint)}
    this.save(network, curve, data, write=save_lraspp, sam=encoder)
