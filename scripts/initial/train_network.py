"""Train a U-Net: f_θ on labels, f_φ on pseudo labels, or full supervision on all labels."""

from dataclasses import replace

from samcarry.networks.label_weights import read_weights
from samcarry.networks.supervised import train
from samcarry.networks.training_data import disagreement
from samcarry.storage.stacks import read_stack
from training_job import training_job

with training_job(snakemake) as this:
    given, params, statistics = snakemake.input, snakemake.params, this.statistics
    data = replace(this.labelled(), last=params.get("balanced", 0))
    if given.get("weights"):
        weights = read_weights(given.weights, params.cases, statistics.classes, labelled=data.last)
        data = replace(data, weights=weights)
    if given.get("initial"):
        initial = (read_stack(path, classes=statistics.classes) for path in given.initial)
        data = replace(data, unsure=disagreement(data, initial, params.cases, this.scratch))
    if params.get("unweighted"):
        statistics = replace(statistics, positive_weight=(1.0,) * len(statistics.classes))
    how = {"start": this.start(), "strong": params.get("strong", False)}
    network, curve = train(data, statistics, this.settings, **how, **this.run)
    this.save(network, curve, data, statistics, window=params.window)
