"""Files from the future are named, and mended without a change of their order."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fix_times as script
from samcarry.pipeline.clock import SECOND, TOLERANCE, clock_fault, fix_times

NOW = 1_800_000_000 * SECOND
DAY = 86400 * SECOND


def stamp(path, ns):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, ns=(ns, ns))
    return path


def order(*files):
    """The files by time; those of one time together, as Snakemake compares them."""
    by_time = {}
    for file in files:
        by_time.setdefault(file.stat().st_mtime, []).append(file.name)
    return [sorted(by_time[at]) for at in sorted(by_time)]


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path("results/a b")


def test_nothing_is_said_of_the_past_of_clocks_that_differ_and_of_what_is_not_there(results):
    stamp(results / "n3/dice.csv", NOW - 1)
    stamp(results / "n3/served.csv", NOW + TOLERANCE)
    assert clock_fault([str(results), "nowhere"], NOW, ["fix"]) == ""


def test_the_newest_file_how_far_it_is_ahead_and_the_command_are_told(results):
    stamp(results / "n3/dice.csv", NOW + DAY)
    stamp(results / "manifest.csv", NOW + DAY - 5 * SECOND)
    stamp(Path("sam.pth"), NOW)
    stamp(Path("images/a.png"), NOW + 3600 * SECOND)
    line = clock_fault([str(results), "sam.pth", "images"], NOW, [".venv/bin/python", "fix.py"])
    assert line.startswith(
        "'results/a b/n3/dice.csv' (and 2 more) has a time 1 day, 0:00:00 in the future: the clock"
    )
    assert "run `.venv/bin/python fix.py 'results/a b' images`" in line
    assert "\n" not in line


def test_names_reach_the_terminal_in_print(tmp_path):
    stamp(tmp_path / "a\x1b[2J\n.png", NOW + DAY)
    assert clock_fault([str(tmp_path)], NOW, ["fix"]).isprintable()


def test_folders_and_what_snakemake_and_python_keep_for_themselves_do_not_count(results):
    for name in (".snakemake/log/a.log", "__pycache__/a.pyc", "n3/dice.csv"):
        stamp(results / name, NOW + DAY)
    stamp(results / "n3/dice.csv", NOW)
    os.utime(results / "n3", ns=(NOW + DAY, NOW + DAY))
    assert clock_fault([str(results)], NOW, ["fix"]) == ""


def test_mending_keeps_the_order_and_touches_nothing_from_the_past(results):
    old = stamp(results / "old", NOW - DAY)
    times = {"input": 5, "same": 5, "stale": 3, "next": 6, "soon": DAY}
    files = [stamp(results / name, NOW + ahead * 1000) for name, ahead in times.items()]
    before = order(old, *files)
    assert before == [["old"], ["stale"], ["input", "same"], ["next"], ["soon"]]
    assert fix_times([str(results)], NOW) == len(files)
    assert order(old, *files) == before
    assert old.stat().st_mtime_ns == NOW - DAY
    assert all(NOW - SECOND < file.stat().st_mtime_ns < NOW for file in files)
    assert fix_times([str(results)], NOW) == 0


def test_links_are_mended_with_what_they_lead_to(results):
    target = stamp(Path("elsewhere/model"), NOW + DAY)
    inside = stamp(Path("disk/shard"), NOW + DAY)
    results.mkdir(parents=True)
    (results / "model").symlink_to(target.resolve())
    (results / "disk").symlink_to(inside.parent.resolve())
    (inside.parent / "round").symlink_to(results.resolve())
    (results / "broken").symlink_to("nowhere")
    (results / "itself").symlink_to("itself")
    os.utime(results / "model", ns=(NOW + DAY, NOW + DAY), follow_symlinks=False)
    fix_times([str(results)], NOW)
    links = [(results / "model").lstat()]
    assert all(about.st_mtime_ns < NOW for about in (target.stat(), inside.stat(), *links))
    assert target.stat().st_mtime == links[0].st_mtime


def test_the_command_that_is_named_mends(results):
    file = stamp(results / "dice.csv", time.time_ns() + DAY)
    line = clock_fault([str(results)], time.time_ns(), [sys.executable, script.__file__])
    command = shlex.split(line.split("`")[1])
    outcome = subprocess.run(command, capture_output=True, text=True, check=True)
    assert outcome.stdout == "files with a fixed modification time: 1\n"
    assert file.stat().st_mtime_ns < time.time_ns()
    assert clock_fault([str(results)], time.time_ns(), command) == ""


def test_a_time_that_may_not_be_changed_is_told_in_a_line(results, monkeypatch, capsys):
    file = stamp(results / "dice.csv", time.time_ns() + DAY)

    def refuse(path, **_):
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "utime", refuse)
    assert script.main([str(file)]) == 1
    assert capsys.readouterr().err == f"{file}: its time cannot be changed: Operation not permitted\n"
