"""Clean the probability maps of one shard: one component a class, then morphology."""

import numpy as np

from job import job
from samcarry.cleaning import CleaningSettings, clean
from samcarry.settings import read_tuned
from samcarry.stacks import Stack, read_stack, write_stack

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    settings = CleaningSettings(**{**params.cleaning, **read_tuned(given.tuned).get("cleaning", {})})
    probabilities = read_stack(given.probabilities)
    masks = np.stack([clean(case, settings) for case in probabilities.values]).astype(np.uint8)
    stack = Stack(masks, "mask", probabilities.cases, probabilities.classes, this.made_by)
    write_stack(snakemake.output.masks, stack)
