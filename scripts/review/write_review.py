"""Write the page of the most doubtful cases."""

from job import job
from samcarry.review.doubt import read_ranking
from samcarry.review.page import render_review, review_cases
from samcarry.storage.files import write_text
from samcarry.storage.texts import read_text

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    ranking = read_ranking(given.doubt)
    classes = read_text(given.names).splitlines()
    cases = review_cases(
        ranking,
        read_ranking(given.classes),
        images=given.images,
        refined=given.refined,
        probabilities=given.probabilities,
        classes=classes,
        shown=params.shown,
    )
    page = render_review(
        cases, classes, dataset=params.dataset, n=params.n, seed=params.seed, total=len(ranking)
    )
    write_text(snakemake.output.page, page)
