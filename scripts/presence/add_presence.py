"""Write a model file with its presence step."""

from job import job
from samcarry.networks.unet import load_unet, save_unet
from samcarry.presence.judgement import presence_as_json, read_presence_file

with job(snakemake):
    network, about = load_unet(snakemake.input.model)
    presence = read_presence_file(snakemake.input.presence, about["classes"])
    # What is noted of the training stays: a release and a model card read it.
    save_unet(snakemake.output.model, network, {**about, "presence": presence_as_json(presence)})
