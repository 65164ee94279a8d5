"""Write a U-Net as ONNX and check it on prepared images."""

import numpy as np

from job import job
from samcarry.networks.unet import load_unet
from samcarry.predict.onnx_export import check_onnx, write_onnx
from samcarry.storage.stacks import read_stack

IMAGES = 16  # of each shard; more say nothing new

with job(snakemake) as this:
    network, about = load_unet(snakemake.input.model)
    images = np.concatenate([read_stack(path).values[:IMAGES] for path in snakemake.input.images])
    path = snakemake.output.onnx
    write_onnx(path, network, about)
    differing, greatest = check_onnx(path, network, about, images)
    this.log.info(
        "same masks on %d images; %d pixels on the edge of 0.5 differ, probabilities by at most %.1e",
        *(len(images), differing, greatest),
    )
