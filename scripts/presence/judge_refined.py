"""Empty the refined masks of classes that are judged absent, and leave undecided ones out of the loss."""

from dataclasses import replace

import numpy as np

from job import job
from samcarry.networks.label_weights import write_weights
from samcarry.presence.tables import read_judged, without_absent
from samcarry.storage.stacks import read_stack, write_stack

with job(snakemake) as this:
    given, made = snakemake.input, snakemake.output
    stack = read_stack(given.refined)
    judged = read_judged(given.judged, stack.classes)
    pairs = zip(stack.cases, stack.values, strict=True)
    values = np.stack([without_absent(of_case, judged[case].absent) for case, of_case in pairs])
    write_stack(made.masks, replace(stack, values=values, made_by=this.made_by), this.threads)
    write_weights(
        made.weights,
        [
            (case, name, 1.0 - unsure)
            for case in stack.cases
            for name, unsure in zip(stack.classes, judged[case].unsure, strict=True)
        ],
    )
