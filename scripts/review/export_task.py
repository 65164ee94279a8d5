"""Write the most doubtful cases as a CVAT task with R as starting annotation; existing tasks stay."""

from pathlib import Path

from job import job
from samcarry.data.manifest import read_manifest
from samcarry.review.tasks import read_task, task_cases, write_task
from samcarry.storage.tables import read_table

with job(snakemake):
    given, output, params = snakemake.input, snakemake.output, snakemake.params
    rows = read_manifest(given.manifest)
    sheet = Path(output.cases)
    ranking = [row["case"] for row in read_table(given.doubt, ["case"])]
    there = sheet.exists()
    write_task(
        cases=[] if there else task_cases(ranking, rows, read_task(given.earlier), params.k),
        images={row.case: Path(params.folder) / row.image for row in rows},
        window=params.window,
        refined=given.refined,
        classes=Path(given.names).read_text(encoding="utf-8").splitlines(),
        sheet=sheet,
        archive=Path(output.images),
        annotations=Path(output.annotations),
    )
