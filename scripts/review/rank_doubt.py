"""Rank all unlabelled cases by doubt, and give the reasons as text."""

from job import job
from samcarry.review.doubt import doubt_by_class, rank_by_doubt, read_measures, write_ranking

with job(snakemake):
    measures, reasons = read_measures(snakemake.input.measures), snakemake.params.reasons
    write_ranking(snakemake.output.classes, doubt_by_class(measures, reasons))
    write_ranking(snakemake.output.doubt, rank_by_doubt(measures, reasons))
