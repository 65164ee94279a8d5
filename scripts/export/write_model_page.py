"""Write a U-Net as a page that draws masks on images which are dropped on it."""

from job import job
from samcarry.annotate.model_page import write_model_page
from samcarry.networks.unet import load_unet

with job(snakemake):
    network, about = load_unet(snakemake.input.model)
    write_model_page(snakemake.output.page, network, about, dataset=snakemake.params.dataset)
