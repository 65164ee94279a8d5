"""Predict the probability maps P of one shard."""

from job import job
from samcarry.networks.prediction import predict
from samcarry.networks.unet import load_unet
from samcarry.storage.stacks import Stack, read_stack, write_stack

with job(snakemake) as this:
    network, about = load_unet(snakemake.input.model, this.device)
    images = read_stack(snakemake.input.images)
    values = predict(network, images.values, about["mean"], about["std"], snakemake.params.precision)
    stack = Stack(values, "probability", images.cases, tuple(about["classes"]), this.made_by)
    write_stack(snakemake.output.probabilities, stack, this.threads)
