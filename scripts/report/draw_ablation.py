"""Draw Dice over the number of labelled images (the paper's Fig. 2)."""

import pandas as pd

from job import job
from samcarry.evaluation.draws import read_draws
from samcarry.evaluation.summary import read_dice
from samcarry.methods import in_order, method_of
from samcarry.report.charts import draw_ablation

with job(snakemake):
    rows = pd.concat([read_dice(path) for path in snakemake.input.dice])
    methods = in_order(snakemake.params.methods)
    names = {method: method_of(method).name for method in methods}
    draws = read_draws(snakemake.input.draws)
    draw_ablation([snakemake.output.svg, snakemake.output.png], rows, methods, names, draws)
