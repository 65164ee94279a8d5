"""Score one method and seed: Dice, distances and areas of every test case and class."""

from job import job
from samcarry.data.native import native_masks, read_sizes
from samcarry.evaluation.scores import dice_rows, write_dice
from samcarry.presence.tables import probabilities_of, read_probabilities
from samcarry.storage.stacks import pairs_of

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    settings = {
        "dataset": wildcards.dataset,
        "n": params.n,
        "seed": int(wildcards.seed),
        "method": wildcards.method,
        "tolerance": params.tolerance,
    }
    rows, unit = [], "px"
    judged = read_probabilities(given.judged)
    if params.digests is None:  # at network size
        for reference, predicted in pairs_of(given.masks, given.predictions):
            known = predicted.kind == "probability"
            largest = predicted.values.max(axis=(2, 3)) / 255 if known else None
            rows += dice_rows(
                *(reference.masks, predicted.masks, reference.cases, reference.classes),
                probability=probabilities_of(judged, reference.cases, reference.classes, largest),
                **settings,
            )
    else:
        sizes = read_sizes(given.sizes)
        for masks in native_masks(given.predictions, given.labels, params.digests, sizes):
            unit = "mm" if masks.spacing else "px"
            largest = None if masks.probability is None else masks.probability[None]
            rows += dice_rows(
                *(masks.reference[None], masks.predicted[None], [masks.case], masks.classes),
                probability=probabilities_of(judged, [masks.case], masks.classes, largest),
                spacing=masks.spacing,
                **settings,
            )
    write_dice(snakemake.output.dice, rows, unit)
