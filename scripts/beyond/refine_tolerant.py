"""Let SAM refine the masks of one shard, with P as the first mask prompt."""

import numpy as np
import torch

from job import job
from samcarry.prompting.prompts import read_prompts
from samcarry.prompting.tolerant_prompts import soft_masks
from samcarry.runtime.progress import progress
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import open_embeddings
from samcarry.sam.quality import write_quality
from samcarry.sam.refinement import as_mask_prompt, refine
from samcarry.storage.stacks import Stack, read_stack, write_stack
from samcarry.tuning.tuned_settings import tuned_over

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    tuned = tuned_over(params.passes, given.tuned, "sam")
    passes = {name: tuned[name] for name in params.passes}  # SAM may be asked about crops in other rows
    sam = load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device)
    initial = read_stack(given.probabilities)
    prompts_of, _ = read_prompts(given.prompts, classes=initial.classes)
    refined = {}
    with open_embeddings(given.embeddings) as embedding_of:
        pairs = list(zip(initial.cases, initial.values, strict=True))
        for case, probabilities in progress(pairs, "refined"):
            prompts = prompts_of[case]
            prior = None
            if any(prompts):
                prior = as_mask_prompt(
                    sam, torch.from_numpy(soft_masks(probabilities, prompts)).to(sam.device)
                )
            refined[case] = refine(sam, embedding_of(case), prompts, params.size, **passes, prior=prior)
    masks = np.stack([answer.masks for answer in refined.values()]).astype(np.uint8)
    stack = Stack(masks, "mask", initial.cases, initial.classes, this.made_by)
    write_stack(snakemake.output.masks, stack, this.threads)
    write_quality(snakemake.output.quality, refined, initial.classes)
