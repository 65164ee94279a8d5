"""What the frame of all jobs reports, marks and cleans up."""

import errno
import os
import re
from pathlib import Path

import pytest

from samcarry.errors import InputError
from samcarry.storage import checksums, disk, runs
from samcarry.storage.checksums import checksum_file
from samcarry.storage.files import write_text
from support.job_frame import run_job
from support.paths import ROOT

RESULTS = "results/demo"
OUTPUT = f"{RESULTS}/manifest.csv"
MARK = Path(f"{RESULTS}/logs/made_up.fault")


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def failing(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EIO, errno.EDQUOT])
def test_an_error_of_the_system_is_one_line_with_what_to_do_and_its_traceback_is_in_the_log(number):
    [line] = run_job([], [OUTPUT], failing(OSError(number, os.strerror(number), "results/demo/x.csv")))
    assert line.startswith(f"results/demo/x.csv: {os.strerror(number)}; ")
    assert "Delete" not in line
    assert "Traceback" in Path(f"{RESULTS}/logs/made_up.log").read_text()


def test_a_bug_is_still_shown_as_one():
    assert run_job([], [OUTPUT], failing(KeyError("x")))[0].startswith("Traceback")
    assert run_job([], [OUTPUT], failing(OSError("without a number")))[0].startswith("Traceback")


def test_a_job_writes_its_time_and_memory():
    run_job([], [OUTPUT], lambda: write_text(OUTPUT, "x"))
    head, row = Path(f"{RESULTS}/benchmarks/made_up.tsv").read_text().splitlines()
    assert head == "rule\ts\tmax_rss\tcpu_time"
    rule, *numbers = row.split("\t")
    assert rule == "made_up"
    assert all(float(value) > 0 for value in numbers)


def test_a_failed_job_seals_nothing():
    def work():
        write_text(OUTPUT, "x")
        raise InputError("data.png: is empty")

    assert run_job([], [OUTPUT], work) == ["data.png: is empty"]
    assert not Path(f"{RESULTS}/benchmarks").exists()
    assert not checksum_file(OUTPUT, RESULTS).exists()


def test_a_job_that_has_not_finished_leaves_another_mark(monkeypatch):
    """Also if it is killed: Snakemake takes a failed update for a finished one."""
    seen = []

    def work():
        seen.append(MARK.read_text())
        write_text(OUTPUT, "x")

    assert run_job([], [OUTPUT], work, fault="as before") == []
    assert MARK.read_text() == "as before" != seen[0]
    run_job([], [OUTPUT], failing(KeyError("x")), fault="as before")
    assert MARK.read_text() not in ("as before", seen[0])


def test_leftovers_of_killed_jobs_are_removed(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_start_of", lambda number: 1)
        left = disk.private_name(Path(OUTPUT))
    write_text(left, "half")
    assert run_job([], [OUTPUT], lambda: write_text(OUTPUT, "x")) == []
    assert not left.exists()
    assert f"removed {left}" in Path(f"{RESULTS}/logs/made_up.log").read_text()


def test_a_job_of_an_earlier_run_writes_nothing(monkeypatch):
    """A suspended run wakes up when another one has finished."""
    monkeypatch.setenv(runs._RUN, "")
    runs.announce_run(is_main=True, dataset="demo", config={})
    runs.claim_results("demo")
    earlier = os.environ[runs._RUN]
    runs.announce_run(is_main=True, dataset="demo", config={})
    runs.claim_results("demo")
    assert run_job([], [OUTPUT], lambda: write_text(OUTPUT, "newer")) == []
    monkeypatch.setenv(runs._RUN, earlier)
    [line] = run_job([], [OUTPUT], lambda: write_text(OUTPUT, "earlier"))
    assert "a newer run of this data set has started" in line
    assert Path(OUTPUT).read_text() == "newer"
    checksums.check(OUTPUT, RESULTS)


def test_every_script_runs_in_the_frame():
    for script in sorted((ROOT / "scripts").glob("*/*.py")):
        if script.parent.name != "samcarry":
            text = script.read_text()
            assert "\nwith job(snakemake)" in text or "\nwith training_job(snakemake)" in text, script


def test_the_snakefile_reads_results_only_after_a_check():
    for path in (ROOT / "workflow").rglob("*.smk"):
        for line in path.read_text().splitlines():
            if re.search(r"\bread_\w+[(,]|\.read_\w+\(|\bopen\(|\bload\(", line) and line.startswith("    "):
                known = (
                    re.search(r"intact\(|check_result\(", line)
                    or "mark.read_text(" in line
                    or line.strip().endswith(",")
                )
                assert known, f"{path}: {line}"
