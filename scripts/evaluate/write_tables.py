"""Write Table 1, scores by class, and the paired differences between every two methods."""

from job import job
from samcarry.data.manifest import judged_split, missing_methods, read_manifest
from samcarry.evaluation.significance import all_pairs, compare
from samcarry.evaluation.summary import read_dice, summarise_classes
from samcarry.evaluation.table1 import tabulate, to_markdown, to_tex, write_statistics
from samcarry.methods import in_order, paper_figures
from samcarry.storage.files import write_text

with job(snakemake):
    params, output = snakemake.params, snakemake.output
    rows = read_dice(snakemake.input.dice)
    cases = read_manifest(snakemake.input.manifest)
    split = judged_split(cases)
    methods = in_order(params.methods)
    table = tabulate(
        rows,
        methods,
        missing=missing_methods(methods, cases),
        notes=params.notes,
        paper=paper_figures(params.paper),
    )
    write_statistics(output.csv, table)
    write_text(output.md, to_markdown(table, split, params.tolerance))
    write_text(output.tex, to_tex(table, split, params.tolerance))
    write_statistics(output.per_class, summarise_classes(rows, methods))
    write_statistics(output.differences, compare(rows, all_pairs(methods)))
