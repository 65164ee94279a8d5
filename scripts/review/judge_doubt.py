"""Compare the doubt with the true error, for cases with hidden labels."""

from job import job
from samcarry.review.doubt import REASONS, read_ranking, write_ranking
from samcarry.review.doubt_validation import draw_evidence, evidence_table, true_errors
from samcarry.storage.stacks import pairs_of

with job(snakemake):
    given, output = snakemake.input, snakemake.output
    doubt = read_ranking(given.doubt)
    errors = true_errors(pairs_of(given.refined, given.masks))
    table = evidence_table(doubt, errors, REASONS, snakemake.params.reasons)
    draw_evidence(output.picture, doubt, errors, table)
    write_ranking(output.table, table)
