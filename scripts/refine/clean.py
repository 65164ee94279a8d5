"""Clean the probability maps of one shard, and derive boxes and points for SAM."""

import numpy as np

from job import job
from samcarry.prompting.cleaning import CleaningSettings, clean
from samcarry.prompting.prompts import extract_prompts, write_prompts
from samcarry.storage.stacks import Stack, read_stack, write_stack
from samcarry.tuning.tuned_settings import tuned_over

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    settings = CleaningSettings(**tuned_over(params.cleaning, given.tuned, "cleaning"))
    probabilities = read_stack(given.probabilities)
    masks = np.stack([clean(case, settings) for case in probabilities.values])
    stack = Stack(masks.astype(np.uint8), "mask", probabilities.cases, probabilities.classes, this.made_by)
    write_stack(snakemake.output.masks, stack)
    prompts = {case: extract_prompts(drawn) for case, drawn in zip(stack.cases, masks, strict=True)}
    write_prompts(snakemake.output.prompts, prompts, stack.classes)
