"""Measure every reason for doubt in the unlabelled cases of one shard."""

from job import job
from samcarry.review.doubt import expected_shapes, measure_case, measure_rows, write_measures
from samcarry.sam.quality import read_quality
from samcarry.storage.stacks import read_shards, read_stack

with job(snakemake):
    given = snakemake.input
    refined = read_stack(given.refined)
    classes = refined.classes
    labelled = read_shards(given.masks, snakemake.params.cases, classes)
    expected = expected_shapes(labelled.values(), len(classes))
    quality = read_quality(given.quality, classes)
    seeds = [read_stack(path, cases=refined.cases, classes=classes) for path in given.probabilities]
    unknown = [float("nan")] * len(classes)
    rows = []
    for index, (case, masks) in enumerate(zip(refined.cases, refined.masks, strict=True)):
        probabilities = [stack.values[index] for stack in seeds]
        measures = measure_case(probabilities, masks, quality.get(case, unknown), expected)
        rows += measure_rows(case, classes, measures, masks)
    write_measures(snakemake.output.measures, rows)
