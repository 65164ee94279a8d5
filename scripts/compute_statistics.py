"""Mean, deviation and class weights of one training subset."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from job import job
from samcarry.files import write_text
from samcarry.shards import gather, pairs_of
from samcarry.stacks import read_header
from samcarry.subset import subset_statistics

with job(snakemake), tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
    cases = snakemake.params.cases
    pairs = pairs_of(snakemake.input.images, snakemake.input.masks)
    data = gather(pairs, cases, Path(scratch))
    classes = read_header(snakemake.input.masks[0]).classes
    statistics = subset_statistics(
        data.images, data.masks, cases, classes, snakemake.params.max_positive_weight
    )
    write_text(snakemake.output.statistics, json.dumps(asdict(statistics), indent=1) + "\n")
