"""Compute mean, deviation and class weights of one training subset."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from job import job
from samcarry.networks.subset_statistics import subset_statistics
from samcarry.networks.training_data import gather
from samcarry.storage.files import write_text
from samcarry.storage.stacks import pairs_of, read_header

with job(snakemake), tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
    cases = snakemake.params.cases
    pairs = pairs_of(snakemake.input.images, snakemake.input.masks)
    data = gather(pairs, cases, Path(scratch))
    classes = read_header(snakemake.input.masks[0]).classes
    statistics = subset_statistics(
        data.images, data.masks, cases, classes, snakemake.params.max_positive_weight
    )
    write_text(snakemake.output.statistics, json.dumps(asdict(statistics), indent=1) + "\n")
