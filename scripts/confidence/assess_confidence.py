"""Assess the calibration of one method and what can be promised, for every seed."""

import pandas as pd

from job import job
from samcarry.confidence.assessment import (
    calibration_table,
    coverage_table,
    parts_of,
    reliability_table,
)
from samcarry.confidence.measures import measure_cases
from samcarry.storage.frames import write_frame
from samcarry.storage.stacks import read_header

with job(snakemake) as this:
    given, params, output = snakemake.input, snakemake.params, snakemake.output
    about, count = params.about, len(params.shards)
    names = list(read_header(given.probabilities[0]).classes)
    tables = {"calibration": [], "reliability": [], "coverage": []}
    for place, seed in enumerate(params.seeds):
        paths = given.probabilities[place * count : (place + 1) * count]
        measured = list(
            measure_cases(
                ((path, list(about)) for path in paths),
                given.labels,
                {case: digest for case, (_, _, digest) in about.items()},
                {case: patient for case, (_, patient, _) in about.items()},
                dict(zip(about, given.images, strict=True)),
            )
        )
        validation = [one for one in measured if about[one.case][0] == "val"]
        test = [one for one in measured if about[one.case][0] == params.split != "val"]
        parts = parts_of(validation, test, names)
        found = {
            "calibration": calibration_table(parts, names),
            "reliability": reliability_table(parts, names),
            "coverage": coverage_table(parts, names, params.coverages),
        }
        for kind, table in found.items():
            table.insert(0, "seed", seed)
            table.insert(0, "method", snakemake.wildcards.method)
            tables[kind].append(table)
    for kind, of_seeds in tables.items():
        write_frame(output[kind], pd.concat(of_seeds), float_format="%.6g")
