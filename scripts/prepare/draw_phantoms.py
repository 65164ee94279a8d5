"""Draw the demo's data set: phantom radiographs in the user's file contract."""

from pathlib import Path

from job import job
from samcarry.data.phantoms import draw_phantoms, write_dataset

with job(snakemake):
    phantom = snakemake.params.phantom
    phantoms = draw_phantoms(
        counts=phantom["counts"],
        seed=phantom["seed"],
        height=phantom["height"],
        width=phantom["width"],
    )
    write_dataset(phantoms, Path(snakemake.output.cases).parent)
