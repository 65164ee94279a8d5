"""Import a study with CVAT annotations and a table of patients as a data set in the file contract."""

from pathlib import Path

from job import job
from samcarry.importing.wrist import import_cvat
from samcarry.pipeline.sources import table_study_arguments

with job(snakemake) as this:
    params = snakemake.params
    summary = import_cvat(
        **table_study_arguments(params.cvat),
        destination=Path(snakemake.output.cases).parent,
        classes=params.classes,
        window=params.window,
    )
    for line in summary:
        this.log.info(line)
