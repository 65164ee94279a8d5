"""Draw what tuning found: the gain of every trial by the value of each parameter."""

from job import job
from samcarry.report.charts import draw_tuning
from samcarry.storage.frames import read_settings_frame

with job(snakemake):
    draw_tuning(snakemake.output.picture, read_settings_frame(snakemake.input.trials), snakemake.params.title)
