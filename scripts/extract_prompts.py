"""Turn the cleaned masks of one shard into boxes and points."""

import json

from job import job
from samcarry.files import write_text
from samcarry.prompts import extract_prompts, prompts_to_json
from samcarry.stacks import read_stack

with job(snakemake):
    stack = read_stack(snakemake.input.masks)
    prompts = {
        case: prompts_to_json(extract_prompts(masks), stack.classes)
        for case, masks in zip(stack.cases, stack.masks, strict=True)
    }
    write_text(snakemake.output.prompts, json.dumps(prompts, ensure_ascii=False, indent=1) + "\n")
