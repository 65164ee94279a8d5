"""Fit how to judge from one network's probabilities whether a class is there."""

from job import job
from samcarry.presence.examples import ALL, anatomies_of, make_example
from samcarry.presence.judgement import fit_presence, write_presence
from samcarry.storage.stacks import read_shards, read_stack

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    masks = read_shards(given.masks, [*params.cases, *params.folds], params.classes)
    anatomies = anatomies_of({case: masks[case] for case in params.cases}, params.folds)
    examples = []
    for path, (cases, own) in zip(given.predictions, params.predicted, strict=True):
        seen = read_stack(path, cases=cases, classes=params.classes)
        # Validation cases are not in any anatomy.
        examples += [
            make_example(
                probabilities,
                masks[case],
                anatomies[params.folds[case] if case in params.cases else ALL],
                fold=params.folds[case],
                own=own,
            )
            for case, probabilities in zip(seen.cases, seen.values, strict=True)
        ]
    presence = fit_presence(examples, anatomies[ALL], **params.limits)
    if presence.fault:
        this.log.warning("presence cannot be fitted, so no class is judged absent: %s", presence.fault)
    write_presence(snakemake.output.presence, presence, params.classes)
