"""Write the page that tells everything of a run, readable offline."""

from job import job
from samcarry.report.page import render
from samcarry.report.sources import read_report
from samcarry.storage.files import write_text

with job(snakemake):
    params = snakemake.params
    files = {
        name: [paths] if isinstance(paths, str) else list(paths) for name, paths in snakemake.input.items()
    }
    report = read_report(
        files,
        n=params.n,
        seed=params.seed,
        config=params.config,
        benchmarks=params.benchmarks,
        shown=params.shown,
    )
    write_text(snakemake.output.page, render(report))
