"""Draw the training curves of all networks and seeds."""

from pathlib import Path

import pandas as pd

from job import job
from samcarry.figures import draw_training

with job(snakemake):
    curves = {"/".join(Path(path).parts[-3:-1]): pd.read_csv(path) for path in snakemake.input.curves}
    draw_training(snakemake.output.picture, curves)
