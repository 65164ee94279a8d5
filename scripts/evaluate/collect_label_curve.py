"""Collect how much more Dice more labels are expected to give."""

from job import job
from samcarry.data.manifest import read_manifest
from samcarry.evaluation.label_curve import label_gains
from samcarry.evaluation.summary import read_dice
from samcarry.evaluation.table1 import write_statistics
from samcarry.methods import in_order

with job(snakemake):
    params = snakemake.params
    tables = [read_dice(path) for path in snakemake.input.dice]
    patients = {row.case: row.patient for row in read_manifest(snakemake.input.manifest)}
    gains = label_gains(tables, params.draws, in_order(params.methods), patients)
    write_statistics(snakemake.output.curve, gains)
