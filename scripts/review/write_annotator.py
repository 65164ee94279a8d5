"""Write a task as a page on which its masks are corrected, with SAM in it; an existing page stays."""

from pathlib import Path

from job import job
from samcarry.annotate.cases import write_annotator
from samcarry.data.manifest import read_manifest
from samcarry.sam.checkpoints import load_sam
from samcarry.storage.stacks import read_shards
from samcarry.storage.tables import read_table
from samcarry.storage.texts import read_text

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    cases = [row["case"] for row in read_table(given.cases, ["case"])]
    classes = read_text(given.names).splitlines()
    write_annotator(
        snakemake.output.page,
        cases,
        {row.case: Path(params.folder) / row.image for row in read_manifest(given.manifest)},
        read_shards(given.refined, cases, classes),
        dataset=params.dataset,
        task=f"task-{snakemake.wildcards.task}",
        classes=classes,
        sam=load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device),
        window=params.window,
        text_masked=params.text_masked,
        precision=params.precision,
    )
