"""Import annotations of another program, with their images, as a data set in the file contract."""

from pathlib import Path

from job import job
from samcarry.importing.annotations import import_annotations
from samcarry.importing.readers import reader_options
from samcarry.pipeline.sources import export_arguments

with job(snakemake) as this:
    params = snakemake.params
    summary = import_annotations(
        params.form,
        **export_arguments(params.source),
        destination=Path(snakemake.output.cases).parent,
        wanted=params.classes,
        window=params.window,
        options=reader_options(params.form, params.source),
    )
    for line in summary:
        this.log.info(line)
