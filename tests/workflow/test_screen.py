"""The output of a run: progress without walls of text, and a user's fault or a stop as the last line."""

import os
import re
import signal
import time
from pathlib import Path

WALL = re.compile(
    r"^ +(reason|resources|wildcards|jobid|input|output): |^Error in rule|^RuleException", re.MULTILINE
)


def last_line(output):
    return output.rstrip().splitlines()[-1]


def own_log(project):
    """All that Snakemake wrote into its own logs."""
    return "".join(path.read_text() for path in Path(project.folder, ".snakemake/log").iterdir())


def test_a_run_prints_its_progress_and_leaves_the_walls_of_text_to_the_log(project):
    outcome = project.run("results/demo/prepared/train-0000/images.nii.gz")
    assert outcome.returncode == 0, outcome.stdout
    assert not WALL.search(outcome.stdout)
    assert re.search(
        r"^\S+ \[\d+/\d+\] prepare: prepare_images shard=train-0000, \d+ s", outcome.stdout, re.MULTILINE
    )
    assert re.match(r"(\d+) of \1 jobs done in \d+ s\. ", last_line(outcome.stdout))
    assert WALL.search(own_log(project))


def test_the_fault_that_a_job_finds_is_the_last_line(project):
    project.configure(n=4)
    outcome = project.run()
    assert outcome.returncode != 0
    assert not WALL.search(outcome.stdout)
    assert "has 3 labelled cases" in last_line(outcome.stdout)
    assert "lower n" in last_line(outcome.stdout)


def test_the_fault_that_the_rules_report_is_the_last_line(project):
    project.configure(cleaning={"raduis": 3})
    assert last_line(project.run().stdout).startswith("config: cleaning:")


def test_ctrl_c_reports_how_many_jobs_are_done_and_that_the_same_command_goes_on(project):
    process = project.start()
    while "/8] prepare: draw_phantoms" not in project.read("run.log"):
        assert process.poll() is None, project.read("run.log")
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    process.wait(60)
    output = project.read("run.log")
    assert re.fullmatch(r"Stopped\. The same command goes on; \d of \d+ done\.", last_line(output))
    assert "Traceback" not in output


def test_printshellcmds_gives_snakemakes_own_output(project):
    outcome = project.run("results/demo/phantom/cases.csv", "--printshellcmds")
    assert WALL.search(outcome.stdout)
