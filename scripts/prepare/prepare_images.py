"""Read the images of one shard and resize them to network size."""

import numpy as np

from job import job
from samcarry.data.image_digests import check_image
from samcarry.images.grey import resize_grey
from samcarry.images.text import read_shown
from samcarry.storage.stacks import Stack, write_stack

with job(snakemake) as this:
    images = snakemake.params.images
    for path, digest in zip(snakemake.input.images, snakemake.params.digests, strict=True):
        check_image(path, digest)
    values = []
    for path in snakemake.input.images:
        seen, _ = read_shown(path, images["window"], images["mask_text"])
        values.append(resize_grey(seen, images["height"], images["width"]))
    stack = Stack(np.stack(values), "image", tuple(snakemake.params.cases), made_by=this.made_by)
    write_stack(snakemake.output.images, stack)
