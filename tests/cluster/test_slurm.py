"""Whole runs on a real SLURM, some of them interrupted, give the results of a local run."""

import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from support.one_node_slurm import run_client

DICE = "results/demo/n3/dice.csv"
FIELDS = "JobArrayID:20,State:20,MinMemory:12,Partition:12,tres-per-job:20,tres-per-node:20,Comment:200"


@dataclass(frozen=True)
class Attempt:
    """A job as listed by squeue; a retry is a separate job."""

    number: str  # with _<task> in an array
    state: str
    memory: str
    partition: str
    gpus: str
    gres: str
    comment: str

    @property
    def rule(self) -> str:
        return self.comment.removeprefix("rule_").split("_wildcards")[0]


def run_id(project):
    return re.search(r"SLURM run ID: (\S+)", project.read("run.log"))[1]


def jobs_of(project, rule=None):
    """The jobs of the run that `project.start` started, oldest first; of one rule or of all rules."""
    rows = run_client("squeue", "-h", "--states=all", f"--name={run_id(project)}", "--sort=i", "-O", FIELDS)
    jobs = [Attempt(*line.split()) for line in rows.splitlines()]
    return [job for job in jobs if rule in (None, job.rule)]


def freeze(project, script, main, seconds=180):
    """Suspend the process of a script that SLURM started for this project, early; return its id."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                is_here = (process / "cwd").readlink() == project.folder
            except OSError:  # the process has ended
                continue
            if is_here and b"python" in words[0] and words[1].endswith(f".{script}.py".encode()):
                os.kill(int(process.name), signal.SIGSTOP)
                return int(process.name)
        assert main.poll() is None, project.read("run.log")
        time.sleep(0.05)
    raise AssertionError(f"{script}.py did not start in {seconds} s: {project.read('run.log')}")


def finish(main, project):
    assert main.wait(1800) == 0, project.read("run.log")


def test_the_main_line_on_slurm_gives_the_dice_of_a_local_run(on_slurm, finished):
    finish(on_slurm.start(), on_slurm)
    assert on_slurm.read(DICE) == finished.read(DICE)

    jobs = jobs_of(on_slurm)
    assert {job.state for job in jobs} == {"COMPLETED"}
    with_gpu = {job.rule for job in jobs if job.gpus == "gres:gpu:1"}
    assert with_gpu >= {"embed", "train_f_theta", "predict", "refine", "train_f_phi"}
    assert not with_gpu & {"prepare_images", "clean", "evaluate"}
    arrays = {job.rule for job in jobs if "_" in job.number}
    assert arrays >= {
        "prepare_images",
        "prepare_masks",
    }  # all ready at once; jobs of other rules may be submitted singly


def test_after_scancel_the_same_command_gives_the_same_dice(without_f_phi, finished):
    main = without_f_phi.start(DICE, "--retries", "0")
    freeze(without_f_phi, "train_network", main)
    [running] = jobs_of(without_f_phi, "train_f_phi")
    run_client("scancel", running.number)
    assert main.wait(180) != 0
    assert "SLURM status is: 'CANCELLED'" in without_f_phi.read("run.log")

    again = without_f_phi.run(DICE)
    assert again.returncode == 0, again.stdout
    assert without_f_phi.read(DICE) == finished.read(DICE)


def test_a_job_that_needs_more_memory_is_retried_with_twice_as_much(without_f_phi, finished):
    rules = without_f_phi.folder / "workflow/rules/final.smk"
    request = "mem_mb=memory(12000)"
    assert request in rules.read_text()
    rules.write_text(rules.read_text().replace(request, "mem_mb=memory(700)", 1))
    finish(without_f_phi.start(DICE), without_f_phi)

    attempts = [(job.state, job.memory) for job in jobs_of(without_f_phi, "train_f_phi")]
    assert attempts == [("FAILED", "700M"), ("COMPLETED", "1400M")]
    logs = (without_f_phi.folder / "results/slurm_logs/rule_train_f_phi").rglob("*.log")
    assert any("exceeded memory limit" in log.read_text() for log in logs)
    assert without_f_phi.read(DICE) == finished.read(DICE)


def test_a_job_that_exceeds_its_time_limit_is_retried(without_f_phi, finished):
    main = without_f_phi.start(DICE, "--set-resources", "train_f_phi:runtime=1")
    freeze(without_f_phi, "train_network", main)
    finish(main, without_f_phi)
    assert [job.state for job in jobs_of(without_f_phi, "train_f_phi")] == ["TIMEOUT", "COMPLETED"]
    assert without_f_phi.read(DICE) == finished.read(DICE)


def test_after_kill_9_of_snakemake_its_jobs_can_be_cancelled_by_name_and_the_run_resumes(
    without_f_phi, finished
):
    main = without_f_phi.start(DICE)
    freeze(without_f_phi, "train_network", main)
    main.kill()
    main.wait()
    assert [job.state for job in jobs_of(without_f_phi)] == ["RUNNING"]  # jobs of SLURM survive Snakemake
    run_client("scancel", f"--name={run_id(without_f_phi)}")
    while run_client("squeue", "-h", f"--name={run_id(without_f_phi)}"):
        time.sleep(0.2)

    assert without_f_phi.run("--unlock").returncode == 0
    again = without_f_phi.run(DICE)
    assert again.returncode == 0, again.stdout
    assert without_f_phi.read(DICE) == finished.read(DICE)


def test_gpus_as_gres_and_a_separate_partition_for_other_jobs(without_f_phi):
    profile = without_f_phi.folder / "profiles/slurm/config.yaml"
    text = profile.read_text().replace("slurm_partition: gpu ", "slurm_partition: null ")
    profile.write_text(text.replace("# slurm-partition-config:", "slurm-partition-config:"))
    finish(
        without_f_phi.start("results/demo/n3/figures/training.png", "--profile", "profiles/gres"),
        without_f_phi,
    )
    requested = {job.rule: (job.partition, job.gpus, job.gres) for job in jobs_of(without_f_phi)}
    assert requested == {"train_f_phi": ("gpu", "N/A", "gres:gpu:1"), "draw_training": ("cpu", "N/A", "N/A")}
