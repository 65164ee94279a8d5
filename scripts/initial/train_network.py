"""Train a U-Net: f_θ on labels, f_φ on pseudo labels, or full supervision on all labels."""

from dataclasses import replace

from samcarry.networks.label_weights import read_weights
from samcarry.networks.supervised import train
from training_job import training_job

with training_job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    data = this.labelled()
    if given.get("weights"):
        weights = read_weights(given.weights, params.cases, this.statistics.classes)
        data = replace(data, weights=weights)
    network, curve = train(data, this.statistics, this.settings, start=this.start(), **this.run)
    this.save(network, curve, data, window=params.window)
