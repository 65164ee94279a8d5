"""Score one method and seed: Dice and surface scores of every test case and class."""

from job import job
from samcarry.evaluation.scores import dice_rows, write_dice
from samcarry.storage.stacks import pairs_of

with job(snakemake):
    wildcards = snakemake.wildcards
    rows = []
    for reference, predicted in pairs_of(snakemake.input.masks, snakemake.input.predictions):
        rows += dice_rows(
            reference.masks,
            predicted.masks,
            reference.cases,
            reference.classes,
            dataset=wildcards.dataset,
            n=snakemake.params.n,
            seed=int(wildcards.seed),
            method=wildcards.method,
            tolerance=snakemake.params.tolerance,
        )
    write_dice(snakemake.output.dice, rows)
