"""samcarry status: what is done, running and left, from Snakemake's plan and the tables of finished jobs."""

import os
import sys

import pytest

from samcarry.errors import InputError
from samcarry.setup import progress
from samcarry.setup.progress import (
    Status,
    active_run,
    finished_jobs,
    jobs_of_plan,
    plan,
)

PLAN = """Building DAG of jobs...
Job stats:
job              count
-------------  -------
all                  1
list_cases           1
train_f_theta        3
total                5

reasons
"""
HEAD = "rule\ts\tmax_rss\n"


def test_the_plan_gives_the_number_of_jobs_by_rule():
    assert jobs_of_plan(PLAN) == ({"list_cases": 1, "train_f_theta": 3}, True)
    assert jobs_of_plan("Nothing to be done (all requested files are present).") == ({}, False)


def test_finished_jobs_are_counted_with_their_times(tmp_path):
    for path, rule, seconds in (
        ("list_cases.tsv", "list_cases", 3),
        ("n3/seed0/train_f_theta.tsv", "train_f_theta", 20),
        ("n3/seed1/train_f_theta.tsv", "train_f_theta", 40),
        ("n3/seed0/fit_presence_f_theta.tsv", "fit_presence", 5),
        ("n3/seed0/evaluate/unet_sam.tsv", "evaluate", 9),
    ):
        file = tmp_path / "benchmarks" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{HEAD}{rule}\t{seconds}\t1\n")
    (tmp_path / "benchmarks/n3/cut_by_a_kill.tsv").write_text(HEAD + "evaluate")
    (tmp_path / "benchmarks/n3/of_an_older_version.tsv").write_text("s\tmax_rss\n7\t1\n")
    done = finished_jobs(tmp_path)
    assert done["train_f_theta"] == [20, 40]
    assert done["fit_presence"] == [5]
    assert sum(map(len, done.values())) == 5


def test_the_time_left_is_of_known_kinds_and_the_others_are_counted():
    done = {"train_f_theta": [100.0, 200.0]}
    left = {"train_f_phi": 2, "refine": 4}
    lines = Status("mine", done, left, ["results/mine/a.gz"], 12, grows=False).lines()
    assert lines[0] == "mine: a run is active (process 12); 2 jobs done, 6 left"
    assert "running: results/mine/a.gz" in lines
    assert "left: train_f_phi, 2 (3 min each)" not in lines
    assert any(line.startswith("left: train_f_phi, 2 (150 s") or "2 min each" in line for line in lines)
    assert any("5 min, and 4 jobs of kinds that have not run yet" in line for line in lines)


def test_a_plan_that_will_grow_says_so():
    lines = Status("mine", {}, {"list_cases": 1}, [], None, grows=True).lines()
    assert lines[0] == "mine: no run is active; 0 jobs done, 1+ left"
    assert "known when the cases are listed" in lines[1]


def test_results_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    summary = tmp_path / "results/mine/n3/summary.md"
    summary.parent.mkdir(parents=True)
    summary.write_text("x")
    lines = Status("mine", {}, {}, [], None, grows=False).lines()
    assert "result: results/mine/n3/summary.md" in lines


def test_a_run_in_this_folder_is_found_and_a_dry_run_is_not_one(tmp_path):
    for number, words, folder in (
        (11, "python\0-m\0snakemake\0-n", tmp_path),
        (12, "python\0/x/bin/snakemake\0--cores", tmp_path / "other"),
        (13, "python\0/x/bin/snakemake\0--cores", tmp_path),
    ):
        process = tmp_path / "proc" / str(number)
        process.mkdir(parents=True)
        (process / "cwd").symlink_to(folder)
        (process / "cmdline").write_bytes(words.encode())
    processes = sorted((tmp_path / "proc").iterdir())
    assert active_run(tmp_path, processes) == 13
    assert active_run(tmp_path, processes[:2]) is None
    assert active_run(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("output", "words"),
    [("config: n: wrong\n  File 1\n", "config: n: wrong"), ("first\nlast line\n", "last line")],
)
def test_a_plan_that_fails_is_one_line(tmp_path, monkeypatch, output, words):
    monkeypatch.setattr(
        progress.subprocess,
        "run",
        lambda *_, **__: type("Done", (), {"returncode": 1, "stdout": output})(),
    )
    with pytest.raises(InputError) as caught:
        plan(["c.yaml"], tmp_path)
    assert str(caught.value) == words


def test_this_process_does_not_count():
    assert os.getpid() != active_run(progress.Path.cwd())
    assert sys.executable
