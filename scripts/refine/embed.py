"""Embed the images of one shard with SAM's image encoder."""

from job import job
from samcarry.runtime.progress import progress
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import embed_images, write_embeddings
from samcarry.storage.stacks import read_stack

with job(snakemake) as this:
    entry = snakemake.params.sam
    sam = load_sam(entry["model"], snakemake.input.checkpoint, entry["sha256"], this.device)
    images = read_stack(snakemake.input.images)
    each = embed_images(entry["protocol"], sam, images.values, snakemake.params.precision)
    embeddings = list(progress(each, "embedded", len(images.cases)))
    write_embeddings(snakemake.output.embeddings, images.cases, embeddings, this.made_by)
