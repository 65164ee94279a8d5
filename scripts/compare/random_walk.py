"""Refine the masks of one shard by the random walk, from seeds in the eroded masks."""

import numpy as np

from job import job
from samcarry.baselines.random_walk import RandomWalkSettings, refine_by_random_walk
from samcarry.prompting.cleaning import most_likely_components
from samcarry.runtime.progress import progress
from samcarry.storage.stacks import Stack, read_stack, write_stack
from samcarry.tuning.tuned_settings import tuned_over

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    settings = RandomWalkSettings(**tuned_over(params.random_walk, given.tuned, "random_walk"))
    probabilities = read_stack(given.probabilities)
    images = read_stack(given.images, cases=probabilities.cases)
    pairs = list(zip(images.values, probabilities.values, strict=True))
    masks = [
        refine_by_random_walk(image, most_likely_components(probability), settings)
        for image, probability in progress(pairs, "refined")
    ]
    values = np.stack(masks).astype(np.uint8)
    stack = Stack(values, "mask", probabilities.cases, probabilities.classes, this.made_by)
    write_stack(snakemake.output.masks, stack, this.threads)
