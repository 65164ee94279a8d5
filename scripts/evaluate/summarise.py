"""Summarise the methods: mean ± standard deviation, and paired differences with intervals."""

from job import job
from samcarry.data.manifest import judged_split, missing_methods, read_manifest
from samcarry.evaluation.convergence import not_converged
from samcarry.evaluation.significance import compare
from samcarry.evaluation.summary import read_dice, summarise
from samcarry.evaluation.summary_page import to_markdown
from samcarry.evaluation.table1 import write_statistics
from samcarry.storage.files import write_text

with job(snakemake):
    params, output, wildcards = snakemake.params, snakemake.output, snakemake.wildcards
    rows = read_dice(snakemake.input.dice)
    cases = read_manifest(snakemake.input.manifest)
    patients = {case.case: case.patient for case in cases}
    faults = not_converged(rows, {method: snakemake.input[method] for method in params.trained})
    summary = summarise(rows, params.methods, patients, faults)
    margin = params.margin
    differences = compare(rows, params.pairs, patients, primary=params.primary, margin=margin)
    write_statistics(output.summary, summary)
    write_statistics(output.differences, differences)
    page = to_markdown(
        wildcards.dataset,
        wildcards.n.replace("-draw", ", draw "),
        judged_split(cases),
        summary,
        differences,
        missing_methods(params.methods, cases),
        margin,
        params.at,
        params.notes,
    )
    write_text(output.page, page)
