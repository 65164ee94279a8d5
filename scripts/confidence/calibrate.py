"""Fit temperatures and collect scores of validation patients, and write them with the network."""

import numpy as np

from job import job
from samcarry.confidence.fitted import confidence_as_json, fit_confidence
from samcarry.confidence.measures import measure_cases
from samcarry.confidence.shown import shown_images
from samcarry.measure.expressions import parse_expressions
from samcarry.networks.features import features_of
from samcarry.networks.unet import load_unet, save_unet
from samcarry.storage.stacks import read_shards

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    network, about = load_unet(given.model, this.device)
    patients = {case: patient for case, (_, patient, _) in params.about.items()}
    digests = {case: digest for case, (_, _, digest) in params.about.items()}
    measured = list(
        measure_cases(
            zip(given.probabilities, params.cases, strict=True),
            given.labels,
            digests,
            patients,
            dict(zip(params.about, given.images, strict=True)),
        )
    )

    # Only images that the network did not learn from show how far new ones are from those that it did.
    unseen = read_shards(given.prepared, [case for case in digests if case not in params.learned])
    learned, own = (
        features_of(network, np.stack(list(images.values())), about["mean"], about["std"]) if images else []
        for images in (read_shards(given.learned, params.learned), unseen)
    )
    shown = shown_images(learned, own, [patients[case] for case in unseen])
    confidence = fit_confidence(measured, about["classes"], shown)
    for name, one in zip(about["classes"], confidence.classes, strict=True):
        this.log.info("%s: temperature %.2f, %d patients have it", name, one.temperature, len(one.excess))
    about |= {"confidence": confidence_as_json(confidence), "made_by": this.made_by}
    parse_expressions(params.measurements, about["classes"], "config: measurements")
    about["measurements"] = params.measurements
    save_unet(snakemake.output.model, network, about)
