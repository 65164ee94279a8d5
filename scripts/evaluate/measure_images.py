"""Read the size of the evaluated images and, where it is known, that of their pixels in mm."""

from pathlib import Path

from job import job
from samcarry.data.manifest import read_manifest
from samcarry.data.native import native_sizes, write_sizes
from samcarry.predict.stage_masks import find_originals

with job(snakemake) as this:
    params = snakemake.params
    wanted = set(params.cases)
    rows = [row for row in read_manifest(snakemake.input.manifest) if row.case in wanted]
    images = dict(zip(params.cases, map(Path, snakemake.input.images), strict=True))
    found = find_originals(Path(params.folder), rows, params.source_images and Path(params.source_images))
    sources = {case: original.source for case, original in found.items()}
    sizes = native_sizes(images, sources, {row.case: row.spacing for row in rows}, params.spacing)
    known = sum(size.spacing is not None for size in sizes.values())
    this.log.info("%d images, the size of a pixel in mm is known for %d of them", len(sizes), known)
    write_sizes(snakemake.output.sizes, sizes)
