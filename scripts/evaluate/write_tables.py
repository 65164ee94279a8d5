"""Write Table 1, scores by class, paired differences between every two methods, and how stable ranks are."""

from job import job
from samcarry.data.manifest import judged_split, missing_methods, read_manifest
from samcarry.evaluation.convergence import not_converged
from samcarry.evaluation.draws import read_draws
from samcarry.evaluation.readers import read_readers
from samcarry.evaluation.summary import read_dice
from samcarry.evaluation.table1 import to_markdown, to_tex, write_statistics
from samcarry.evaluation.tables import evaluation_tables
from samcarry.methods import in_order, paper_figures
from samcarry.presence.faults import add_notes, not_fitted
from samcarry.storage.files import write_text

with job(snakemake):
    given, params, output = snakemake.input, snakemake.params, snakemake.output
    rows = read_dice(given.dice)
    cases = read_manifest(given.manifest)
    methods = in_order(params.methods)
    tables = evaluation_tables(
        rows,
        methods,
        patients={case.case: case.patient for case in cases},
        groups={case.case: case.group for case in cases},
        missing=missing_methods(methods, cases),
        notes=add_notes(params.notes, not_fitted(zip(params.judged, given.presences, strict=True))),
        paper=paper_figures(params.paper),
        not_converged=not_converged(rows, {method: given[method] for method in params.trained}),
        primary=params.primary,
        margin=params.margin,
        draws=read_draws(given.draws),
        readers=read_readers(given.readers),
    )
    table1 = tables.pop("table1")
    write_statistics(output.csv, table1)
    shown = (table1, judged_split(cases), params.tolerance, params.at)
    write_text(output.md, to_markdown(*shown))
    write_text(output.tex, to_tex(*shown))
    for name, table in tables.items():
        write_statistics(output[name], table)
