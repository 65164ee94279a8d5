"""Choose the images worth labelling first; no labels are needed."""

from pathlib import Path

from job import job
from samcarry.review.first_images import (
    draw_contact_sheet,
    find_first_images,
    pooled_embeddings,
    propose,
    write_first,
)
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import embed_images
from samcarry.sam.folders import digest_of_checkpoint

with job(snakemake) as this:
    params, output = snakemake.params, snakemake.output
    entry, first = params.sam, params.first
    window, text_masked = params.images["window"], params.images["mask_text"]
    images = find_first_images(params.folder, params.patient_pattern, first["columns"])
    sam = load_sam(entry["model"], snakemake.input.checkpoint, entry["sha256"], this.device)
    embeddings = pooled_embeddings(
        images,
        lambda greys: embed_images(entry["protocol"], sam, greys, params.precision),
        Path(output.cases).with_name("embeddings"),
        size=(params.images["height"], params.images["width"]),
        window=window,
        text_masked=text_masked,
        sam_id=f"{entry['protocol']} {digest_of_checkpoint(snakemake.input.checkpoint)}",
    )
    chosen = propose(images, embeddings, columns=first["columns"], count=first["k"], seed=first["seed"])
    draw_contact_sheet(output.sheet, [image for image, _ in chosen], window, text_masked)
    write_first(output.cases, chosen, first["columns"])
