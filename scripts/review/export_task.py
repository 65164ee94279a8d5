"""Write the most doubtful cases as a CVAT task with R as starting annotation; existing tasks stay."""

from pathlib import Path

from job import job
from samcarry.data.contract import mirrored_cases
from samcarry.data.image_digests import check_image
from samcarry.data.manifest import read_manifest
from samcarry.review.marks import read_sent
from samcarry.review.tasks import read_task, task_cases, write_task
from samcarry.storage.tables import read_table
from samcarry.storage.texts import read_text

with job(snakemake):
    given, output, params = snakemake.input, snakemake.output, snakemake.params
    rows = read_manifest(given.manifest)
    sheet = Path(output.cases)
    ranking = [row["case"] for row in read_table(given.doubt, ["case"])]
    if sheet.exists():
        cases = read_task([sheet])
    else:
        if params.marks:
            ranking = read_sent(params.marks, ranking, {row.case for row in rows})
        cases = task_cases(ranking, rows, read_task(given.earlier), params.k)
    chosen = [row for row in rows if row.case in cases]
    images = {row.case: Path(params.folder) / row.image for row in chosen}
    for row in chosen:
        check_image(images[row.case], row.image_digest)
    write_task(
        cases=cases,
        images=images,
        window=params.window,
        text_masked=params.text_masked,
        refined=given.refined,
        classes=read_text(given.names).splitlines(),
        mirrored=mirrored_cases(params.folder) if params.source_images else (),
        sheet=sheet,
        archive=Path(output.images),
        annotations=Path(output.annotations),
    )
