"""Write the page of the most doubtful cases."""

from pathlib import Path

from job import job
from samcarry.data.image_digests import check_image
from samcarry.data.manifest import read_manifest
from samcarry.review.doubt import read_ranking
from samcarry.review.page import render_review, review_cases
from samcarry.storage.files import write_text
from samcarry.storage.texts import read_text

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    ranking = read_ranking(given.doubt)
    classes = read_text(given.names).splitlines()
    shown = set(ranking["case"].head(params.shown))
    rows = [row for row in read_manifest(given.manifest) if row.case in shown]
    images = {row.case: Path(params.folder) / row.image for row in rows}
    for row in rows:
        check_image(images[row.case], row.image_digest)
    cases = review_cases(
        ranking,
        read_ranking(given.classes),
        images=images,
        window=params.window,
        text_masked=params.text_masked,
        refined=given.refined,
        probabilities=given.probabilities,
        classes=classes,
    )
    page = render_review(
        cases,
        classes,
        size=params.size,
        dataset=params.dataset,
        n=params.n,
        seed=params.seed,
        total=len(ranking),
        task=params.task,
    )
    write_text(snakemake.output.page, page)
