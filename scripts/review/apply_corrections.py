"""Write a data set with the corrected annotations; the user's own data set is only read."""

from pathlib import Path

from job import job
from samcarry.data.contract import mirrored_cases
from samcarry.review.corrections import apply_corrections

with job(snakemake) as this:
    params = snakemake.params
    summary = apply_corrections(
        params.folder,
        snakemake.input.corrections,
        Path(snakemake.output.cases).parent,
        splits=params.splits,
        classes=params.classes,
        window=params.window,
        replace_labels=params.replace_labels,
        mirrored=mirrored_cases(params.folder) if params.source_images else (),
    )
    for line in summary:
        this.log.info(line)
