"""Turn the cleaned masks of one shard into boxes and points that tolerate errors in P."""

import json

from job import job
from samcarry.files import write_text
from samcarry.prompts import prompts_to_json
from samcarry.stacks import read_stack
from samcarry.tolerant_prompts import extract_tolerant_prompts

with job(snakemake):
    cleaned, initial = read_stack(snakemake.input.masks), read_stack(snakemake.input.probabilities)
    prompts = {
        case: prompts_to_json(extract_tolerant_prompts(masks, probabilities), cleaned.classes)
        for case, masks, probabilities in zip(cleaned.cases, cleaned.masks, initial.values, strict=True)
    }
    write_text(snakemake.output.prompts, json.dumps(prompts, ensure_ascii=False, indent=1) + "\n")
