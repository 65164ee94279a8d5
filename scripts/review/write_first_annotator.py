"""Write the images worth labelling first as a page on which they are labelled; an existing page stays."""

from pathlib import Path

from job import job
from samcarry.annotate.cases import write_annotator
from samcarry.sam.checkpoints import load_sam
from samcarry.storage.tables import read_table

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    rows = read_table(given.cases, ["case", "image"])
    write_annotator(
        snakemake.output.page,
        [row["case"] for row in rows],
        {row["case"]: Path(params.folder, "images", row["image"]) for row in rows},
        {},
        dataset=params.dataset,
        task="first",
        classes=params.classes,
        sam=load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device),
        window=params.window,
        text_masked=params.text_masked,
        precision=params.precision,
    )
