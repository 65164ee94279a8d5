"""Turn CVAT annotations and their images into the plain contract."""

from pathlib import Path

from job import job
from samcarry.wrist import import_cvat

with job(snakemake) as this:
    cvat = snakemake.params.cvat
    summary = import_cvat(
        images=Path(cvat["images"]),
        annotations={split: [Path(f) for f in files] for split, files in cvat["annotations"].items()},
        table=Path(cvat["table"]),
        order=Path(cvat["order"]) if cvat["order"] else None,
        unlabelled=Path(cvat["unlabelled"]) if cvat["unlabelled"] else None,
        label=cvat["label"],
        attribute=cvat["attribute"],
        classes=snakemake.params.classes,
        destination=Path(snakemake.output.cases).parent,
        frontal_only=cvat["frontal_only"],
        mirror_right=cvat["mirror_right"],
        window=snakemake.params.window,
    )
    for line in summary:
        this.log.info(line)
