"""Let SAM redraw the masks of one shard from their prompts: R, and SAM's own quality estimate."""

import json
from pathlib import Path

import numpy as np

from job import job
from samcarry.progress import progress
from samcarry.prompts import prompts_from_json
from samcarry.sam import load_sam, open_embeddings, refine, write_quality
from samcarry.stacks import Stack, write_stack

with job(snakemake) as this:
    entry, passes = snakemake.params.sam, snakemake.params.passes
    sam = load_sam(entry["model"], snakemake.input.checkpoint, entry["sha256"], this.device)
    prompts = json.loads(Path(snakemake.input.prompts).read_text(encoding="utf-8"))
    classes = list(next(iter(prompts.values())))
    with open_embeddings(snakemake.input.embeddings) as embedding_of:
        refined = {
            case: refine(
                sam,
                embedding_of(case),
                prompts_from_json(entries, classes),
                snakemake.params.size,
                passes["first"],
                passes["second"],
            )
            for case, entries in progress(prompts.items(), "refined")
        }
    masks = np.stack([answer.masks for answer in refined.values()]).astype(np.uint8)
    stack = Stack(masks, "mask", tuple(refined), tuple(classes), this.made_by)
    write_stack(snakemake.output.masks, stack)
    write_quality(snakemake.output.quality, refined, classes)
