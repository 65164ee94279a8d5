"""Draw the training curves of all networks and seeds."""

from pathlib import Path

import pandas as pd

from job import job
from samcarry.report.figures import draw_training

with job(snakemake):
    curves = {}
    for path in map(Path, snakemake.input.curves):
        # seed0/f_phi/training.csv, but full/seed0/training.csv
        seed, network = sorted(path.parts[-3:-1], key=lambda part: not part.startswith("seed"))
        curves[f"{seed}/{network}"] = pd.read_csv(path)
    draw_training(snakemake.output.picture, curves)
