"""Predict the probability maps P of one shard."""

from job import job
from samcarry.stacks import Stack, read_stack, write_stack
from samcarry.training import predict
from samcarry.unet import load_unet

with job(snakemake) as this:
    network, about = load_unet(snakemake.input.model, this.device)
    images = read_stack(snakemake.input.images)
    values = predict(network, images.values, about["mean"], about["std"], snakemake.params.precision)
    stack = Stack(values, "probability", images.cases, tuple(about["classes"]), this.made_by)
    write_stack(snakemake.output.probabilities, stack, this.threads)
