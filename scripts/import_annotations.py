"""Turn COCO, Supervisely or LabelMe annotations and their images into the plain contract."""

from pathlib import Path

from job import job
from samcarry.annotation_import import NO_SPLIT, import_annotations

with job(snakemake) as this:
    source = snakemake.params.source
    given = source["annotations"]
    by_split = given if isinstance(given, dict) else {NO_SPLIT: given}
    summary = import_annotations(
        snakemake.params.form,
        images=Path(source["images"]),
        annotations={
            split: [Path(f) for f in ([files] if isinstance(files, str) else files)]
            for split, files in by_split.items()
        },
        destination=Path(snakemake.output.cases).parent,
        classes={str(name): here for name, here in source["classes"].items()},
        only_named=source["only_named"],
        wanted=snakemake.params.classes,
        combine=source["combine"],
        empty_is_labelled=source["empty"] == "labelled",
    )
    for line in summary:
        this.log.info(line)
