"""Import a study with CVAT annotations and a table of patients as a data set in the file contract."""

from pathlib import Path

from job import job
from samcarry.importing.wrist import import_cvat
from samcarry.pipeline.sources import paths_by_split

with job(snakemake) as this:
    cvat = snakemake.params.cvat
    listed = cvat["unlabelled"]
    summary = import_cvat(
        images=Path(cvat["images"]),
        annotations={
            split: [Path(file) for file in files]
            for split, files in paths_by_split(cvat["annotations"]).items()
        },
        table=Path(cvat["table"]),
        order=Path(cvat["order"]) if cvat["order"] else None,
        unlabelled=Path(listed) if isinstance(listed, str) else listed,
        label=cvat["label"],
        attribute=cvat["attribute"],
        classes=snakemake.params.classes,
        destination=Path(snakemake.output.cases).parent,
        frontal_only=cvat["frontal_only"],
        mirror_right=cvat["mirror_right"],
        window=snakemake.params.window,
        seed=cvat["unlabelled_seed"],
        unreadable=cvat["unreadable"],
    )
    for line in summary:
        this.log.info(line)
