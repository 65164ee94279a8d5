"""Read the images of one shard and resize them to network size."""

import numpy as np

from job import job
from samcarry.data.image_digests import check_image
from samcarry.images.grey import read_grey, resize_grey
from samcarry.images.text import mask_text
from samcarry.storage.stacks import Stack, write_stack

with job(snakemake) as this:
    images = snakemake.params.images
    for path, digest in zip(snakemake.input.images, snakemake.params.digests, strict=True):
        check_image(path, digest)
    values = []
    for path in snakemake.input.images:
        grey = read_grey(path, images["window"])
        seen = mask_text(grey) if images["mask_text"] else grey
        values.append(resize_grey(seen, images["height"], images["width"]))
    stack = Stack(np.stack(values), "image", tuple(snakemake.params.cases), made_by=this.made_by)
    write_stack(snakemake.output.images, stack)
