"""Read the labels of one shard and resize them to network size; a missing file = class absent."""

from job import job
from samcarry.data.label_masks import read_label_masks
from samcarry.storage.stacks import Stack, write_stack

with job(snakemake) as this:
    labels, params = snakemake.input.get("labels", []), snakemake.params
    masks = read_label_masks(labels, params.cases, params.digests, params.classes, *params.size)
    stack = Stack(masks, "mask", tuple(params.cases), tuple(params.classes), this.made_by)
    write_stack(snakemake.output.masks, stack)
