"""Draw what tuning found: the gain of every trial by the value of each parameter."""

import pandas as pd

from job import job
from samcarry.report.charts import draw_tuning

with job(snakemake):
    draw_tuning(snakemake.output.picture, pd.read_csv(snakemake.input.trials), snakemake.params.title)
