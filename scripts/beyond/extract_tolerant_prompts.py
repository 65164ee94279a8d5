"""Turn the cleaned masks of one shard into boxes and points that tolerate errors in P."""

from job import job
from samcarry.prompting.prompts import write_prompts
from samcarry.prompting.tolerant_prompts import extract_tolerant_prompts
from samcarry.storage.stacks import read_stack

with job(snakemake):
    cleaned = read_stack(snakemake.input.masks)
    initial = read_stack(snakemake.input.probabilities, cases=cleaned.cases, classes=cleaned.classes)
    prompts = {
        case: extract_tolerant_prompts(masks, probabilities)
        for case, masks, probabilities in zip(cleaned.cases, cleaned.masks, initial.values, strict=True)
    }
    write_prompts(snakemake.output.prompts, prompts, cleaned.classes)
