"""Draw the training curves of all networks and seeds."""

from pathlib import Path

from job import job
from samcarry.report.figures import draw_training
from samcarry.storage.frames import read_frame

with job(snakemake):
    curves = {}
    for path in map(Path, snakemake.input.curves):
        # results/<dataset>/<subset>/seed<s>/<network>/training.csv
        _, _, subset, seed, *network, _ = path.parts
        curves[f"{seed}/{'full' if subset == 'full' else '/'.join(network)}"] = read_frame(path)
    draw_training(snakemake.output.picture, curves)
