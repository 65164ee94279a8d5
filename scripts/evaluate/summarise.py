"""Summarise the methods: mean ± standard deviation, and paired differences with intervals."""

from job import job
from samcarry.data.manifest import judged_split, missing_methods, read_manifest
from samcarry.evaluation.significance import compare
from samcarry.evaluation.summary import read_dice, summarise, to_markdown
from samcarry.evaluation.table1 import write_statistics
from samcarry.storage.files import write_text

with job(snakemake):
    params, output, wildcards = snakemake.params, snakemake.output, snakemake.wildcards
    rows = read_dice(snakemake.input.dice)
    cases = read_manifest(snakemake.input.manifest)
    summary = summarise(rows, params.methods)
    differences = compare(rows, params.pairs)
    write_statistics(output.summary, summary)
    write_statistics(output.differences, differences)
    page = to_markdown(
        wildcards.dataset,
        int(wildcards.n),
        judged_split(cases),
        summary,
        differences,
        missing_methods(params.methods, cases),
    )
    write_text(output.page, page)
