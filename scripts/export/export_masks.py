"""Export the masks of one stage at the images' original size and orientation."""

from pathlib import Path

from job import job
from samcarry.data.image_digests import check_image
from samcarry.data.manifest import read_manifest
from samcarry.predict.stage_masks import export_stage, find_originals

with job(snakemake) as this:
    params = snakemake.params
    source_images = Path(params.source_images) if params.source_images else None
    rows = read_manifest(snakemake.input.manifest)
    for row in rows:
        check_image(Path(params.folder) / row.image, row.image_digest)
    export_stage(
        Path(snakemake.output.record).parent,
        snakemake.input.predictions,
        find_originals(Path(params.folder), rows, source_images),
        params.formats,
        window=params.window,
        text_masked=params.text_masked,
        metadata={"stage": snakemake.wildcards.stage, "made_by": this.made_by},
    )
