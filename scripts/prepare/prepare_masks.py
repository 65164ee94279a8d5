"""Read the labels of one shard and resize them to network size; a missing file = class absent."""

from pathlib import Path

import numpy as np

from job import job
from samcarry.images.masks import read_mask, resize_mask
from samcarry.storage.stacks import Stack, write_stack

with job(snakemake) as this:
    params = snakemake.params
    cases, classes = list(params.cases), list(params.classes)
    values = np.zeros((len(cases), len(classes), *params.size), dtype=np.uint8)
    for path in map(Path, snakemake.input.get("labels", [])):
        mask = resize_mask(read_mask(path), *params.size)
        values[cases.index(path.parent.name), classes.index(path.stem)] = mask
    stack = Stack(values, "mask", tuple(cases), tuple(classes), this.made_by)
    write_stack(snakemake.output.masks, stack)
