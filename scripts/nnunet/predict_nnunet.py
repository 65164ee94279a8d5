"""Predict the probability maps of one shard by nnU-Net."""

from job import job
from samcarry.baselines.nnunet.prediction import load_nnunet, predict
from samcarry.storage.stacks import Stack, read_stack, write_stack

with job(snakemake) as this:
    predictor, about = load_nnunet(snakemake.input.model, this.device, this.threads)
    images = read_stack(snakemake.input.images)
    values = predict(predictor, images.values)
    stack = Stack(values, "probability", images.cases, tuple(about["classes"]), this.made_by)
    write_stack(snakemake.output.probabilities, stack, this.threads)
