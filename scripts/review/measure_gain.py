"""Measure what ten corrected cases gain on the judged split: doubtful ones, and random ones."""

from job import job
from samcarry.networks.prediction import predict
from samcarry.networks.unet import load_unet
from samcarry.review.label_gain import case_scores, gain_table, write_gain
from samcarry.storage.stacks import pairs_of

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    scores = []
    for path, (draw, seed) in zip(given.models, params.models, strict=True):
        network, about = load_unet(path, this.device)
        added = len(about["cases"]) - params.n
        for images, masks in pairs_of(given.images, given.masks, about["classes"]):
            predicted = predict(network, images.values, about["mean"], about["std"], params.precision)
            scores += case_scores(images, masks, predicted, draw=draw, added=added, seed=seed)
    write_gain(snakemake.output.gain, gain_table(scores))
