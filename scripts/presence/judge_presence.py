"""Judge which classes are in the cases of one shard, and empty those that are judged absent."""

from dataclasses import replace

import numpy as np

from job import job
from samcarry.presence.judgement import judge, read_presence_file
from samcarry.presence.tables import without_absent, write_judged
from samcarry.storage.stacks import read_stack, write_stack

with job(snakemake) as this:
    given, made = snakemake.input, snakemake.output
    stack = read_stack(given.probabilities)
    presence = read_presence_file(given.presence, stack.classes)
    judged = {case: judge(presence, values) for case, values in zip(stack.cases, stack.values, strict=True)}
    pairs = zip(stack.values, judged.values(), strict=True)
    values = np.stack([without_absent(of_case, one.absent) for of_case, one in pairs])
    this.log.info("%d masks of absent classes removed", sum(int(one.absent.sum()) for one in judged.values()))
    write_stack(made.probabilities, replace(stack, values=values, made_by=this.made_by), this.threads)
    write_judged(made.judged, judged, stack.classes)
