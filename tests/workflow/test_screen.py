"""The terminal output of a run: progress without details, and a fault or a stop as the last line."""

import os
import re
import signal
import time
from pathlib import Path

DETAILS = re.compile(
    r"^ +(reason|resources|wildcards|jobid|input|output): |^Error in rule|^RuleException", re.MULTILINE
)


def last_line(output):
    return output.rstrip().splitlines()[-1]


def own_log(project):
    """Everything that Snakemake wrote to its own logs."""
    return "".join(path.read_text() for path in Path(project.folder, ".snakemake/log").iterdir())


def test_a_run_prints_its_progress_and_the_details_are_only_in_snakemakes_log(project):
    outcome = project.run("results/demo/prepared/train-0000/images.nii.gz")
    assert outcome.returncode == 0, outcome.stdout
    assert not DETAILS.search(outcome.stdout)
    assert re.search(
        r"^\S+ \[\d+/\d+\+?\] prepare: prepare_images shard=train-0000, \d+ s", outcome.stdout, re.MULTILINE
    )
    assert re.match(r"(\d+) of \1 jobs done in \d+ s\. ", last_line(outcome.stdout))
    assert DETAILS.search(own_log(project))


def test_a_fault_found_by_a_job_is_the_last_line(project):
    project.configure(n=4)
    outcome = project.run()
    assert outcome.returncode != 0
    assert not DETAILS.search(outcome.stdout)
    assert "has 3 labelled cases" in last_line(outcome.stdout)
    assert "lower n" in last_line(outcome.stdout)


def test_a_fault_found_by_the_rules_is_the_last_line(project):
    project.configure(cleaning={"raduis": 3})
    assert last_line(project.run().stdout).startswith("config: cleaning:")


def test_ctrl_c_reports_how_many_jobs_are_done_and_that_the_same_command_resumes(project):
    process = project.start()
    while "+] prepare: draw_phantoms" not in project.read("run.log"):
        assert process.poll() is None, project.read("run.log")
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    process.wait(60)
    output = project.read("run.log")
    assert re.fullmatch(r"Stopped\. The same command goes on; \d of \d+ done\.", last_line(output))
    assert "Traceback" not in output


def test_printshellcmds_gives_snakemakes_own_output(project):
    outcome = project.run("results/demo/phantom/cases.csv", "--printshellcmds")
    assert DETAILS.search(outcome.stdout)


def test_a_dry_run_reports_all_faults_of_the_config_without_a_place_in_the_rules(project):
    project.configure(cleaning={"raduis": 3}, n="3", images={"height": 30})
    output = project.run("-n").stdout
    assert not re.search(r"WorkflowError|^  File ", output, re.MULTILINE)
    faults = [line for line in output.splitlines() if line.startswith("config: ")]
    assert len(faults) == 3
    assert last_line(output) == faults[-1]


def test_a_config_with_a_preset_is_complete_and_has_no_note(project):
    without = project.run("-n", "results/demo/manifest.csv").stdout
    note = "note: the key `preset` is not set, so every key missing in tiny.yaml has the demo's value"
    assert note in without
    project.configure(preset="fast", dataset="demo", source={"format": "phantom"})
    outcome = project.run("-n", "results/demo/manifest.csv")
    assert outcome.returncode == 0, outcome.stdout
    assert "note: " not in outcome.stdout
    assert "embeddings/small/checkpoint.json" in outcome.stdout  # the preset's SAM, not the demo's
