"""Train a first network on X^n and some more cases, as if an annotator had corrected these."""

from samcarry.networks.subset_statistics import subset_statistics
from samcarry.networks.supervised import train
from samcarry.review.label_gain import added_cases, read_ranked_cases
from samcarry.storage.stacks import read_header
from training_job import training_job

with training_job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    ranking = read_ranked_cases(given.doubt, params.hidden)
    cases = [*params.cases, *added_cases(snakemake.wildcards.draw, ranking, params.k)]
    data = this.labelled(cases)
    classes = read_header(given.masks[0]).classes
    statistics = subset_statistics(data.images, data.masks, cases, classes, params.max_positive_weight)
    network, curve = train(data, statistics, this.settings, **this.run)
    this.save(network, curve, data, statistics, window=params.window)
