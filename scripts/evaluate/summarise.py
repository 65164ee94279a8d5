"""Summarise the methods: mean ± standard deviation, and paired differences with intervals."""

from job import job
from samcarry.data.manifest import judged_split, missing_methods, read_manifest
from samcarry.evaluation.convergence import not_converged
from samcarry.evaluation.significance import compare
from samcarry.evaluation.summary import read_dice, summarise
from samcarry.evaluation.summary_page import to_markdown
from samcarry.evaluation.table1 import write_statistics
from samcarry.presence.faults import not_fitted
from samcarry.storage.files import write_text

with job(snakemake):
    given, params, output = snakemake.input, snakemake.params, snakemake.output
    wildcards = snakemake.wildcards
    rows = read_dice(given.dice)
    cases = read_manifest(given.manifest)
    patients = {case.case: case.patient for case in cases}
    faults = not_converged(rows, {method: given[method] for method in params.trained})
    summary = summarise(rows, params.methods, patients, faults)
    margin = params.margin
    differences = compare(rows, params.pairs, patients, primary=params.primary, margin=margin)
    write_statistics(output.summary, summary)
    write_statistics(output.differences, differences)
    unfitted = not_fitted(zip(params.judged, given.presences, strict=True))
    page = to_markdown(
        wildcards.dataset,
        wildcards.n.replace("-draw", ", draw "),
        judged_split(cases),
        summary,
        differences,
        missing_methods(params.methods, cases),
        margin,
        params.at,
        [*params.notes, *(f"`{method}`: {why}." for method, why in unfitted.items())],
    )
    write_text(output.page, page)
