"""Draw reliability diagrams of all methods with probabilities."""

from job import job
from samcarry.methods import method_of
from samcarry.report.reliability import draw_reliability
from samcarry.storage.frames import read_frame

with job(snakemake):
    table = read_frame(snakemake.input.reliability, texts=("method", "level", "temperature"))
    names = {method: method_of(method).name for method in table["method"].unique()}
    draw_reliability(snakemake.output.picture, table, names)
