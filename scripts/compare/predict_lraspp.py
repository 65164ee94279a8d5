"""Predict one shard's probability maps by LR-ASPP from stored embeddings."""

from job import job
from samcarry.baselines.lraspp import load_lraspp
from samcarry.baselines.lraspp_prediction import predict_from_embeddings
from samcarry.sam.embedding import open_embeddings
from samcarry.storage.stacks import Stack, read_stack, write_stack

with job(snakemake) as this:
    network, about = load_lraspp(snakemake.input.model, this.device)
    images = read_stack(snakemake.input.images)
    with open_embeddings(snakemake.input.embeddings) as embedding_of:
        values = predict_from_embeddings(network, embedding_of, images.cases, images.values.shape[1:])
    stack = Stack(values, "probability", images.cases, tuple(about["classes"]), this.made_by)
    write_stack(snakemake.output.probabilities, stack, this.threads)
