"""Collect the Dice of each method over the subsets X^n, for Fig. 2."""

from job import job
from samcarry.data.manifest import read_manifest
from samcarry.evaluation.draws import add_draws, read_draws
from samcarry.evaluation.summary import read_dice, summarise_ablation
from samcarry.evaluation.table1 import write_statistics
from samcarry.methods import in_order

with job(snakemake):
    tables = [read_dice(path) for path in snakemake.input.dice]
    patients = {row.case: row.patient for row in read_manifest(snakemake.input.manifest)}
    table = summarise_ablation(tables, in_order(snakemake.params.methods), patients)
    write_statistics(snakemake.output.ablation, add_draws(table, read_draws(snakemake.input.draws)))
