"""Collect the scores of all methods and seeds of one subset X^n in one table."""

from job import job
from samcarry.storage.frames import concatenate, write_frame

with job(snakemake):
    table = concatenate(snakemake.input.dice)
    # The rows of full supervision name no n; nor does the path of Table 1's dice.csv.
    table["n"] = snakemake.params.n
    write_frame(snakemake.output.dice, table)
