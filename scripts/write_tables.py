"""Table 1 of a data set, scores by class, and the paired differences between every two methods."""

from job import job
from samcarry.comparison import all_pairs, compare
from samcarry.files import write_text
from samcarry.manifest import judged_split, missing_methods, read_manifest
from samcarry.methods import in_order
from samcarry.paper import paper_figures
from samcarry.summary import read_dice, summarise_classes
from samcarry.table1 import tabulate, to_markdown, to_tex, write_table

with job(snakemake):
    params, output = snakemake.params, snakemake.output
    rows = read_dice(snakemake.input.dice)
    cases = read_manifest(snakemake.input.manifest)
    split = judged_split(cases)
    methods = in_order(params.methods)
    table = tabulate(
        rows,
        methods,
        missing=missing_methods(methods, cases) | params.missing,
        notes=params.notes,
        paper=paper_figures(params.paper),
    )
    write_table(output.csv, table)
    write_text(output.md, to_markdown(table, split, params.tolerance))
    write_text(output.tex, to_tex(table, split, params.tolerance))
    write_table(output.per_class, summarise_classes(rows, methods))
    write_table(output.differences, compare(rows, all_pairs(methods)))
