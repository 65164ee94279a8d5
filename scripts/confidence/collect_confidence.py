"""Collect calibration and coverage of all methods in one table each."""

from job import job
from samcarry.storage.frames import concatenate, write_frame

with job(snakemake):
    for kind in ("calibration", "reliability", "coverage"):
        write_frame(snakemake.output[kind], concatenate(snakemake.input[kind]))
