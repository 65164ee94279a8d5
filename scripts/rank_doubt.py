"""Rank all unlabelled cases by doubt, and say why in plain words."""

from job import job
from samcarry.doubt import write_table
from samcarry.doubt_ranking import class_doubt_of, rank_cases, read_measures

with job(snakemake):
    measures, reasons = read_measures(snakemake.input.measures), snakemake.params.reasons
    write_table(snakemake.output.classes, class_doubt_of(measures, reasons))
    write_table(snakemake.output.doubt, rank_cases(measures, reasons))
