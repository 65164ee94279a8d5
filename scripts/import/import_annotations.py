"""Import annotations of another program, with their images, as a data set in the file contract."""

from pathlib import Path

from job import job
from samcarry.importing.annotations import import_annotations
from samcarry.importing.readers import reader_options
from samcarry.pipeline.sources import paths_by_split

with job(snakemake) as this:
    params = snakemake.params
    source = params.source
    summary = import_annotations(
        params.form,
        images=Path(source["images"]),
        annotations={
            split: [Path(file) for file in files]
            for split, files in paths_by_split(source["annotations"]).items()
        },
        destination=Path(snakemake.output.cases).parent,
        classes={str(name): here for name, here in source["classes"].items()},
        only_named=source["only_named"],
        wanted=params.classes,
        combine=source["combine"],
        empty_is_labelled=source["empty"] == "labelled",
        cases=Path(source["cases"]) if source["cases"] else None,
        counts=source["counts"],
        window=params.window,
        unreadable=source["unreadable"],
        options=reader_options(params.form, source),
    )
    for line in summary:
        this.log.info(line)
