"""Mean ± standard deviation of each method, and paired differences with their intervals."""

import pandas as pd

from job import job
from samcarry.files import atomic, write_text
from samcarry.manifest import judged_split, missing_methods, read_manifest
from samcarry.summary import compare, summarise, to_markdown

with job(snakemake):
    params, output, wildcards = snakemake.params, snakemake.output, snakemake.wildcards
    rows = pd.read_csv(snakemake.input.dice)
    cases = read_manifest(snakemake.input.manifest)
    summary = summarise(rows, params.methods)
    differences = compare(rows, params.pairs)
    for path, table in ((output.summary, summary), (output.differences, differences)):
        with atomic(path) as private:
            table.round(4).to_csv(private, index=False, lineterminator="\n")
    page = to_markdown(
        wildcards.dataset,
        int(wildcards.n),
        judged_split(cases),
        summary,
        differences,
        missing_methods(params.methods, cases),
    )
    write_text(output.page, page)
