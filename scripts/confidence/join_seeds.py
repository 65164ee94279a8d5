"""Join the networks of all seeds in one model file."""

from job import job
from samcarry.networks.ensembles import join
from samcarry.networks.unet import save_unet

with job(snakemake) as this:
    network, about = join(snakemake.input.models)
    save_unet(snakemake.output.model, network, {**about, "made_by": this.made_by})
