"""A killed run resumes with the same command and gives the same results."""

import base64
import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from samcarry.storage.checksums import checksum_file


def wait_for(project, text, process, seconds=300):
    """Wait until the output of a started run contains `text`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if text in project.read("run.log"):
            return
        assert process.poll() is None, project.read("run.log")
        time.sleep(0.05)
    raise AssertionError(f"no '{text}' in {seconds} s: {project.read('run.log')}")


def jobs_in(folder):
    """Processes that run a script for a workflow in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if (process / "cwd").resolve() == folder.resolve() and b".snakemake/scripts/" in words:
                found.append(process.name)
    return found


@pytest.mark.parametrize("victims", ["everything", "main process"])
def test_kill_9_then_unlock_and_the_same_command_give_the_same_dice(project, finished, victims):
    process = project.start()
    wait_for(project, "[train_f_phi" if victims == "everything" else "[train_f_theta", process)
    if victims == "everything":
        os.killpg(process.pid, signal.SIGKILL)
    else:  # its jobs end with it, also one that still loads its libraries
        running = set(jobs_in(project.folder))
        while not set(jobs_in(project.folder)) - running:
            assert process.poll() is None, project.read("run.log")
        process.kill()
        end = time.monotonic() + 20
        while jobs_in(project.folder):
            assert time.monotonic() < end, "a job survived its killed run"
            time.sleep(0.05)
    process.wait()

    locked = project.run()
    assert locked.returncode != 0
    assert "--unlock" in locked.stdout

    assert project.run("--unlock").returncode == 0
    resumed = project.run()
    assert resumed.returncode == 0, resumed.stdout
    for path in ("results/demo/n3/dice.csv", "results/demo/n3/summary.csv"):
        assert project.read(path) == finished.read(path)
    assert list((project.folder / "results").rglob(".*")) == [], "what killed jobs left was not removed"


def results_of(project):
    """{path: content} of all results; logs, times and files that a job is still writing are not results."""
    root = project.folder / "results/demo"
    return {
        path.relative_to(root): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and path.name[0] != "."
        and path.relative_to(root).parts[0] not in ("logs", "benchmarks")
    }


def test_what_a_killed_job_wrote_but_did_not_seal_is_made_again(copy_of_finished):
    project, root = copy_of_finished, copy_of_finished.folder / "results/demo"
    expected = results_of(project)
    written = "n3/seed0/f_phi/probabilities/test-0000.nii.gz"
    for path in (written, "n3/seed0/dice/ours_r.csv", "n3/dice.csv"):
        checksum_file(root / path, root).unlink()
        if path != written:  # what had not been made when the job was killed
            (root / path).unlink()
    mark = base64.b64encode(f"results/demo/{written}".encode(), altchars=b"-_").decode()
    (project.folder / ".snakemake/incomplete" / mark).touch()
    resumed = project.run()
    assert resumed.returncode == 0, resumed.stdout
    assert results_of(project) == expected


def test_a_suspended_run_that_wakes_after_another_has_finished_changes_nothing(project, finished):
    process = project.start()
    wait_for(project, "[train_f_phi", process)
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        assert project.run("--unlock").returncode == 0
        second = project.run()
        assert second.returncode == 0, second.stdout
        results = results_of(project)
    finally:
        os.killpg(process.pid, signal.SIGCONT)
    assert process.wait(timeout=300) != 0
    assert results_of(project) == results
    assert project.read("results/demo/n3/dice.csv") == finished.read("results/demo/n3/dice.csv")
    assert project.planned() == set()
