"""Let SAM refine the masks of one shard from their prompts: R, and SAM's own quality estimate."""

import numpy as np

from job import job
from samcarry.prompting.prompts import read_prompts
from samcarry.runtime.progress import progress
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import open_embeddings
from samcarry.sam.quality import write_quality
from samcarry.sam.refinement import MEDSAM_PASSES, Passes, refine_case
from samcarry.storage.stacks import Stack, write_stack
from samcarry.tuning.tuned_settings import tuned_over

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    passes = Passes(**tuned_over(params.passes, given.tuned, "sam")) if params.passes else MEDSAM_PASSES
    sam = load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device)
    prompts, classes = read_prompts(given.prompts)
    with open_embeddings(given.embeddings) as embedding_of:
        refined = {
            case: refine_case(params.sam["protocol"], sam, embedding_of(case), asked, params.size, passes)
            for case, asked in progress(prompts.items(), "refined")
        }
    masks = np.stack([answer.masks for answer in refined.values()]).astype(np.uint8)
    stack = Stack(masks, "mask", tuple(refined), classes, this.made_by)
    write_stack(snakemake.output.masks, stack, this.threads)
    write_quality(snakemake.output.quality, refined, classes)
