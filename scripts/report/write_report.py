"""Write the report: one page about a whole run, readable offline."""

from functools import partial

from job import job
from samcarry.pipeline.paths import Results
from samcarry.report.page import Study, render
from samcarry.report.sections import read_report
from samcarry.storage.files import write_text

with job(snakemake):
    params = snakemake.params
    files = {
        name: [paths] if isinstance(paths, str) else list(paths) for name, paths in snakemake.input.items()
    }
    report = read_report(
        files,
        n=params.n,
        study=Study(**params.study),
        config=params.config,
        benchmarks=params.benchmarks,
        shown=params.shown,
        trace=partial(Results(snakemake.wildcards.dataset).how_to_trace, params.n, params.seed),
    )
    write_text(snakemake.output.page, render(report))
