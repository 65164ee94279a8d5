"""Rank all unlabelled cases by doubt, and say why in plain words."""

from job import job
from samcarry.review.doubt import class_doubt_of, rank_cases, read_measures, write_ranking

with job(snakemake):
    measures, reasons = read_measures(snakemake.input.measures), snakemake.params.reasons
    write_ranking(snakemake.output.classes, class_doubt_of(measures, reasons))
    write_ranking(snakemake.output.doubt, rank_cases(measures, reasons))
