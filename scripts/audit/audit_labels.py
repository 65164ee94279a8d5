"""Find likely errors in the given labels, and write the page that shows them."""

from job import job
from samcarry.audit.cases import read_judged
from samcarry.audit.findings import audit
from samcarry.audit.page import describe, render_audit, show
from samcarry.audit.readers import find_differences
from samcarry.audit.table import collect, write_findings
from samcarry.audit.twins import Origin, find_twins
from samcarry.data.native import read_sizes
from samcarry.evaluation.readers import read_readers
from samcarry.storage.files import write_text
from samcarry.storage.stacks import read_shards

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    origins = {case: Origin(*of_case) for case, of_case in params.origins.items()}
    judged = read_judged(given.masks, given.predictions, params.predicted, params.classes)
    images = read_shards(given.images, list(origins))
    readers = read_readers(given.readers)
    compared = [] if readers is None else [readers[name].tolist() for name in ("case", "class", "dice")]
    rows = collect(
        audit(judged),
        find_twins(images, origins),
        find_differences(*compared) if compared else [],
        judged=judged,
        origins=origins,
        classes=params.classes,
        share=params.share,
    )
    write_findings(snakemake.output.findings, rows)
    this.log.info(
        "%d cases judged, %d findings, %d of them stand out",
        len(judged),
        len(rows),
        sum(row.stands_out for row in rows),
    )
    readings = len(compared[0]) if compared else 0
    about = describe(params.dataset, judged, params.kinds, params.share, readings)
    worst = rows[: max(params.shown, sum(row.stands_out for row in rows))]
    sizes = read_sizes(given.sizes) if given.get("sizes") else {}
    ratios = {case: (size.height, size.width) for case, size in sizes.items()}
    shown = show(worst, judged, params.classes)
    write_text(snakemake.output.page, render_audit(shown, rows, images, ratios, params.classes, about))
