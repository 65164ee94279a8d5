"""Let SAM refine the masks of one shard from their prompts: R, and SAM's own quality estimate."""

import numpy as np

from job import job
from samcarry.data.case_images import image_reader
from samcarry.prompting.prompts import read_prompts
from samcarry.runtime.progress import progress
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import open_embeddings
from samcarry.sam.quality import write_quality
from samcarry.sam.refinement import MEDSAM_PASSES, Passes, refine_case
from samcarry.sam.zoom import ZoomSettings, refine_on_crops
from samcarry.storage.stacks import Stack, read_stack, write_stack
from samcarry.tuning.tuned_settings import tuned_over

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    asking = tuned_over(params.asking or {}, given.tuned, params.study)
    sam = load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device)
    prompts, classes = read_prompts(given.prompts)
    with open_embeddings(*given.embeddings) as embedding_of:
        if given.images:
            settings = ZoomSettings(**asking)
            initial = read_stack(given.probabilities, cases=tuple(prompts), classes=classes)
            p_of = dict(zip(initial.cases, initial.values, strict=True))
            image_of = image_reader(given.images, **params.originals)
            stored = given.embeddings and settings.zoom is None

            def ask(case):
                """R of one case, from what SAM sees on crops or beside P."""
                how = {"precision": params.precision, "embedding": embedding_of(case) if stored else None}
                return refine_on_crops(sam, image_of(case), prompts[case], p_of[case], settings, **how)
        else:
            passes = Passes(asking["first"], asking["second"]) if asking else MEDSAM_PASSES
            how = {"protocol": params.sam["protocol"], "size": params.size, "passes": passes}

            def ask(case):
                """R of one case, from its stored embedding."""
                return refine_case(sam=sam, embedding=embedding_of(case), prompts=prompts[case], **how)

        refined = {case: ask(case) for case in progress(prompts, "refined")}
    masks = np.stack([answer.masks for answer in refined.values()]).astype(np.uint8)
    stack = Stack(masks, "mask", tuple(refined), classes, this.made_by)
    write_stack(snakemake.output.masks, stack, this.threads)
    write_quality(snakemake.output.quality, refined, classes)
