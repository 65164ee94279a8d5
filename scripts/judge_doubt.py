"""Hold doubt against the true error, where hidden labels tell it."""

from job import job
from samcarry.doubt import REASONS, write_table
from samcarry.doubt_ranking import read_table
from samcarry.evidence import draw_evidence, evidence_table, true_errors
from samcarry.shards import pairs_of

with job(snakemake):
    given, output = snakemake.input, snakemake.output
    doubt = read_table(given.doubt)
    errors = true_errors(pairs_of(given.masks, given.refined))
    table = evidence_table(doubt, errors, REASONS, snakemake.params.reasons)
    draw_evidence(output.picture, doubt, errors, table)
    write_table(output.table, table)
