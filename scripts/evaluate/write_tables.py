"""Write Table 1, scores by class, paired differences between every two methods, and how stable ranks are."""

from job import job
from samcarry.data.manifest import judged_split, missing_methods, read_manifest
from samcarry.evaluation.agreement import agreement_table
from samcarry.evaluation.convergence import not_converged
from samcarry.evaluation.detection import detection_table
from samcarry.evaluation.draws import add_draws, read_draws
from samcarry.evaluation.significance import all_pairs, compare, rank_stability
from samcarry.evaluation.summary import read_dice, summarise_classes, summarise_groups
from samcarry.evaluation.table1 import tabulate, to_markdown, to_tex, write_statistics
from samcarry.methods import in_order, paper_figures
from samcarry.storage.files import write_text

with job(snakemake):
    params, output = snakemake.params, snakemake.output
    rows = read_dice(snakemake.input.dice)
    cases = read_manifest(snakemake.input.manifest)
    split = judged_split(cases)
    patients = {case.case: case.patient for case in cases}
    faults = not_converged(rows, {method: snakemake.input[method] for method in params.trained})
    methods = in_order(params.methods)
    table = tabulate(
        rows,
        methods,
        missing=missing_methods(methods, cases),
        notes=params.notes,
        paper=paper_figures(params.paper),
        patients=patients,
        not_converged=faults,
    )
    table = add_draws(table, read_draws(snakemake.input.draws))
    write_statistics(output.csv, table)
    shown = (table, split, params.tolerance, params.at)
    write_text(output.md, to_markdown(*shown))
    write_text(output.tex, to_tex(*shown))
    write_statistics(output.per_class, summarise_classes(rows, methods, patients))
    groups = {case.case: case.group for case in cases}
    write_statistics(output.per_group, summarise_groups(rows, methods, groups, patients))
    write_statistics(output.detection, detection_table(rows, methods, patients))
    write_statistics(output.agreement, agreement_table(rows, methods, patients))
    differences = compare(rows, all_pairs(methods), patients, primary=params.primary, margin=params.margin)
    write_statistics(output.differences, differences)
    write_statistics(output.ranks, rank_stability(rows, methods, patients, faults))
