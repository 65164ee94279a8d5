"""A small run and the page made from it."""

import pytest

from samcarry.report.page import render
from samcarry.report.sections import read_report
from support.report_run import CONFIG, STUDY, Page, trace, write_run


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """The files of a small run; see `write_run`."""
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def page_of(files):
    """A function that makes the page without some kinds of files: its text, and the parsed page."""

    def make(*without):
        kept = {name: paths for name, paths in files.items() if name not in without}
        benchmarks = files["benchmarks"][0]
        report = read_report(
            kept, n=5, study=STUDY, config=CONFIG, benchmarks=benchmarks, shown=6, trace=trace
        )
        text = render(report)
        return text, Page(text)

    return make


@pytest.fixture(scope="session")
def whole(page_of):
    """The page of the whole run."""
    return page_of()
