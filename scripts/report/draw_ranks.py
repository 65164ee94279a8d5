"""Draw how stable the ranks of the methods are."""

from job import job
from samcarry.methods import method_of
from samcarry.report.charts import draw_ranks
from samcarry.storage.frames import read_frame

with job(snakemake):
    table = read_frame(snakemake.input.ranks, ("method",))
    names = {method: method_of(method).name for method in table["method"]}
    draw_ranks(snakemake.output.picture, table, names)
