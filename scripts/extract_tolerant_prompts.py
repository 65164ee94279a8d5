"""Turn the cleaned masks of one shard into boxes and points that tolerate errors in P."""

from job import job
from samcarry.prompts import write_prompts
from samcarry.stacks import read_stack
from samcarry.tolerant_prompts import extract_tolerant_prompts

with job(snakemake):
    cleaned, initial = read_stack(snakemake.input.masks), read_stack(snakemake.input.probabilities)
    prompts = {
        case: extract_tolerant_prompts(masks, probabilities)
        for case, masks, probabilities in zip(cleaned.cases, cleaned.masks, initial.values, strict=True)
    }
    write_prompts(snakemake.output.prompts, prompts, cleaned.classes)
