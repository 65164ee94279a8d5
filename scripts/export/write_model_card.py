"""Write the model card of a U-Net."""

from job import job
from samcarry.data.manifest import read_manifest
from samcarry.networks.unet import load_unet
from samcarry.predict.model_card import model_card, read_scores
from samcarry.storage.files import sha256, write_text

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    _, about = load_unet(given.model)
    card = model_card(
        about,
        dataset=snakemake.wildcards.dataset,
        method=params.method,
        rows=read_manifest(given.manifest),
        scores=read_scores(given.dice),
        sha256=sha256(given.model),
    )
    write_text(snakemake.output.card, card)
