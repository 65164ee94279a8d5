"""Collect how much each method's Dice depends on which cases were labelled."""

from job import job
from samcarry.evaluation.draws import summarise_draws
from samcarry.evaluation.summary import read_dice
from samcarry.evaluation.table1 import write_statistics

with job(snakemake):
    params = snakemake.params
    tables = [read_dice(path) for path in snakemake.input.dice]
    write_statistics(snakemake.output.draws, summarise_draws(tables, params.draws, params.methods))
