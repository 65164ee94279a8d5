"""The terminal: a line for each finished job, the time left, and a fault as the last line."""

import io
import logging
import sys
import time

import pytest

from samcarry.pipeline.terminal import PlainFaults, Terminal, faults_in

PLAN = {0: "all", 1: "train_f_theta", 2: "refine", 3: "train_f_phi"}
HINT = "Complete log(s): .snakemake/log/x.log"
FAULT = "images/1.png: no image: replace it"
COPY = '\n  File "scripts/samcarry/pipeline/warm.py", line 70, in execute_script'
"""Snakemake adds this for a job that is a copy of a worker."""


class Run:
    """A logger with the terminal, a clock that stands still until it is moved, and what was printed."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.screen = io.StringIO()
        self.lengths = {}  # by rule, 1 if missing
        self.terminal = Terminal(lambda rule: "stage", lambda: PLAN, lambda rule: self.lengths.get(rule, 1.0))
        self.terminal.setStream(self.screen)

    def say(self, text=None, level=logging.INFO, **fields):
        record = logging.LogRecord("snakemake.logging", level, "", 0, text, None, None)
        record.__dict__.update(fields)
        self.terminal.handle(record)

    def start(self, number, log=("a.log",)):
        self.say(
            f"Rule: {PLAN[number]}\n    reason: walls of text\n    resources: mem=2 GB",
            event="job_info",
            jobid=number,
            rule_name=PLAN[number],
            wildcards={"dataset": "demo", "n": "8", "seed": "0"},
            log=list(log),
        )

    def finish(self, number, done):
        self.say(f"Finished jobid: {number}", event="job_finished", job_id=number)
        self.say(event="progress", done=done, total=len(PLAN))

    def fail(self, number, log, message=None):
        self.say(
            "Error in rule", logging.ERROR, event="job_error", jobid=number, log=[str(log)],
            rule_name=PLAN[number], rule_msg=message,
        )  # fmt: skip

    def lines(self):
        return self.screen.getvalue().splitlines()


@pytest.fixture
def run(monkeypatch):
    return Run(monkeypatch)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "job.log"
    path.write_text(f"10:00:00 [refine n=8] refined 1\n10:00:01 [refine n=8] error: {FAULT}\n")
    return path


def test_a_finished_job_is_one_line_with_stage_progress_and_time(run):
    run.start(1)
    run.now += 30
    run.finish(1, done=1)
    (line,) = run.lines()
    assert line[8:] == " [1/4] stage: train_f_theta n=8 seed=0, 30 s"


def test_the_time_left_is_printed_once_most_of_what_is_left_is_of_a_known_kind(run):
    for number, seconds in ((1, 30), (2, 10)):
        run.start(number)
        run.now += seconds
        run.finish(number, done=number)
    assert "left" not in run.lines()[0]  # nothing is known about refining yet
    assert run.lines()[1].endswith(
        "; about 50 s left"
    )  # 30 s for f_phi as for f_theta, 20 s on average for all


def test_a_training_that_is_ten_times_as_long_counts_ten_times_before_any_has_finished(run):
    run.lengths["train_f_phi"] = 10.0
    for number, seconds in ((1, 30), (2, 10)):
        run.start(number)
        run.now += seconds
        run.finish(number, done=number)
    assert run.lines()[1].endswith("; about 5 min left")  # 300 s for f_phi, 20 s on average for all


def test_running_jobs_and_jobs_side_by_side_shorten_the_time_left(run):
    run.start(1)
    run.start(2)
    run.start(3)
    run.now += 30
    run.finish(1, done=1)
    run.finish(2, done=2)
    assert run.lines()[1].endswith("; about 10 s left")


def test_a_rule_that_only_names_files_is_not_printed(run):
    run.start(0, log=())
    run.finish(0, done=4)
    assert run.lines() == []


@pytest.mark.parametrize(
    "text",
    [
        "Building DAG of jobs...",
        "Select jobs to execute...",
        "Execute 12 jobs...",
        "Conda environments: ignored",
        "Exiting because a job execution failed. Look above for error messages",
    ],
)
def test_messages_of_snakemake_about_itself_are_not_printed(run, text):
    run.say(text)
    assert run.lines() == []


@pytest.mark.parametrize("text", ["Nothing to be done (all requested files are present).", "SLURM run ID: 1"])
def test_anything_else_is_printed(run, text):
    run.say(text)
    assert run.lines() == [text]


@pytest.mark.parametrize("end", ["", COPY])
def test_the_fault_of_a_job_is_the_last_line(run, log, end):
    run.start(2)
    run.say(
        f"RuleException:\nCalledProcessError in file x:\nCommand 'y' returned non-zero exit status 1.{end}",
        logging.ERROR,
        event="error",
    )
    run.fail(2, log)
    run.say(HINT)
    run.say("WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR, event="error")
    run.terminal.close()
    run.terminal.close()  # as Python does when it exits
    assert run.lines() == [
        "0 of 0 jobs done in 0 s. Snakemake's own log: .snakemake/log/x.log",
        f"refine n=8 seed=0 failed, log: {log}",
        FAULT,
    ]


def test_a_fault_is_printed_at_once_if_other_jobs_are_running(run, log):
    run.start(1)
    run.start(2)
    run.fail(2, log)
    assert run.lines()[0].endswith(f"refine n=8 seed=0 failed, log: {log}")


def test_a_job_that_succeeds_at_its_second_attempt_has_no_fault(run, log):
    run.start(2)
    run.fail(2, log, message="SLURM status is: 'CANCELLED'.")
    run.start(2)
    run.finish(2, done=1)
    run.terminal.close()
    assert "CANCELLED" in run.lines()[0]
    assert FAULT not in run.lines()


def test_a_stop_reports_how_many_jobs_are_done(run, log):
    run.start(1)
    run.finish(1, done=1)
    run.start(2)
    run.say("Terminating processes on user request, this might take some time.")
    run.fail(2, log)
    run.say(HINT)
    run.terminal.close()
    assert run.lines()[-1] == "Stopped. The same command goes on; 1 of 4 done."
    assert FAULT not in run.lines()


@pytest.mark.parametrize("end", ["", COPY])
def test_a_job_that_ctrl_c_ended_counts_as_a_stop_even_if_snakemake_did_not_notice_it(run, log, end):
    run.start(1)
    text = f"CalledProcessError in file: Command 'python a.py' died with <Signals.SIGINT: 2>.{end}"
    run.say(f"RuleException:\n{text}", logging.ERROR, event="error")
    run.fail(1, log)
    run.say(HINT)
    run.terminal.close()
    assert run.lines()[-1] == "Stopped. The same command goes on; 0 of 0 done."


@pytest.mark.parametrize(
    "text",
    [
        f'WorkflowError in file "common.smk", line 88:\n{FAULT}\n  File "common.smk", line 91, in <module>',
        f"InputFunctionException in rule x:\nError:\n  WorkflowError:\n    {FAULT}\nWildcards:\n  n=8",
    ],
)
def test_a_fault_that_the_rules_report_is_printed_without_its_place_in_the_rules(run, text):
    run.say(text, logging.ERROR, event="error")
    assert run.lines() == [FAULT]


def test_a_bug_in_the_rules_is_printed_with_its_place(run):
    text = 'NameError in file "common.smk", line 88:\nname x is not defined\n  File "common.smk", line 91'
    run.say(text, logging.ERROR, event="error")
    assert run.lines() == text.splitlines()


def test_a_traceback_is_called_a_bug(log):
    log.write_text("10:00:01 [refine] error: Traceback (most recent call last):\n  File x\nKeyError: 'y'\n")
    assert faults_in([str(log)]) == ["A bug; its traceback is in that log: KeyError: 'y'"]


def test_a_log_without_an_error_message_is_reported(log):
    log.write_text("10:00:00 [refine n=8] refined 1\n")
    assert "killed" in faults_in(["no such file", str(log)])[0]


def test_the_number_of_jobs_has_a_plus_until_the_cases_are_listed(run, monkeypatch):
    plan = {0: "all", 1: "draw_phantoms", 2: "list_cases", 3: "train_f_theta"}
    monkeypatch.setattr(sys.modules[__name__], "PLAN", plan)
    run.terminal._unfinished = lambda: plan
    for number in (1, 2, 3):
        run.start(number)
        run.finish(number, done=number)
    assert [line.split("]")[0].split("[")[1] for line in run.lines()] == ["1/4+", "2/4", "3/4"]


def test_a_fault_of_a_dry_run_has_neither_a_place_in_the_rules_nor_a_stack():
    record = logging.LogRecord(
        "snakemake.logging",
        logging.ERROR,
        "",
        0,
        'WorkflowError in file "/x/setup.smk", line 85:\nconfig: n: wrong\n  File "/x/setup.smk", line 88',
        None,
        None,
    )
    record.event = "error"
    assert PlainFaults().filter(record)
    assert record.getMessage() == "config: n: wrong"
