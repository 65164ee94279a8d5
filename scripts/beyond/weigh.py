"""Weigh the pseudo labels of one shard by SAM's own estimate and the agreement of P and R."""

from job import job
from samcarry.networks.label_weights import pseudo_weight, write_weights
from samcarry.sam.quality import read_estimates
from samcarry.storage.stacks import read_stack

with job(snakemake):
    initial = read_stack(snakemake.input.initial)
    refined = read_stack(snakemake.input.refined, cases=initial.cases, classes=initial.classes)
    estimates = read_estimates(snakemake.input.quality)
    write_weights(
        snakemake.output.weights,
        [
            (case, name, pseudo_weight(p, r, estimates.get((case, name))))
            for case, first, second in zip(initial.cases, initial.masks, refined.masks, strict=True)
            for name, p, r in zip(initial.classes, first, second, strict=True)
        ],
    )
