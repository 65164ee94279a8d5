"""Mean ± standard deviation of each method, and paired differences with their intervals."""

from job import job
from samcarry.comparison import compare
from samcarry.files import write_text
from samcarry.manifest import judged_split, missing_methods, read_manifest
from samcarry.summary import read_dice, summarise, to_markdown
from samcarry.table1 import write_table

with job(snakemake):
    params, output, wildcards = snakemake.params, snakemake.output, snakemake.wildcards
    rows = read_dice(snakemake.input.dice)
    cases = read_manifest(snakemake.input.manifest)
    summary = summarise(rows, params.methods)
    differences = compare(rows, params.pairs)
    write_table(output.summary, summary)
    write_table(output.differences, differences)
    page = to_markdown(
        wildcards.dataset,
        int(wildcards.n),
        judged_split(cases),
        summary,
        differences,
        missing_methods(params.methods, cases),
    )
    write_text(output.page, page)
