"""Write the card that goes with a model file."""

from job import job
from samcarry.files import sha256, write_text
from samcarry.manifest import read_manifest
from samcarry.model_cards import model_card, read_scores
from samcarry.unet import load_unet

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
