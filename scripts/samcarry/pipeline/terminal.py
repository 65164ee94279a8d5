"""The terminal output of a run: a line for each finished job, the time left, and a fault as the last line."""

import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from samcarry.runtime.progress import duration

DEFAULT_HANDLER = "DefaultStreamHandler"
"""Snakemake's name for the handler that `Terminal` replaces."""
ERROR = "] error: "
"""How job.py marks a fault in the log of a job."""
# Messages of Snakemake about itself. Its own log in .snakemake/log keeps all of them.
SILENT_EVENTS = frozenset(
    ["run_info", "workflow_started", "shellcmd", "job_started", "group_info", "resources_info", "rulegraph"]
)
SILENT = re.compile(
    "Assuming unrestricted shared|Building DAG|Using shell:|(Conda env|Singularity cont).* ignored|"
    "Select jobs to|Execute [0-9]+ jobs|DAG of jobs will|Updating checkpoint dep|Group jobs: inactive|"
    "Job rate limit|Elapsed time:|Shutting down, this|Exiting because a job execution failed|"
    "Restored previous version|Cannot restore .*: no backup found|"
    "Config file .* is extended|WorkflowError:\nAt least one job did not complete"
)
# A script with this exit status has written its fault to its log; a script that Ctrl-C ended has no fault.
# A job that is a copy of a worker adds the line of `pipeline.warm` that reports it.
REPORTED_BY_JOB = re.compile(
    r"(?s)CalledProcessError.*(exit status 1|died with <Signals.SIGINT: 2>)\."
    r"(\n  File [^\n]+, in execute_script)?$"
)
LISTS_CASES = "list_cases"
"""The rule whose result says which shards there are, and so which jobs."""
INTERRUPTED = "died with <Signals.SIGINT: 2>"
STOPPED = re.compile("Terminating processes on user request|Will exit after finishing currently running")


@dataclass(frozen=True)
class _Job:
    rule: str
    name: str  # rule and wildcards
    log: list[str]
    started: float


class Terminal(logging.StreamHandler):
    """Prints the records of Snakemake's logger as lines for people, on standard error.

    `stage_of` returns the stage of a rule, `unfinished` the rule of each unfinished job by the job's number.
    `length_of` returns how many times as long as others of its kind a rule takes: train_f_phi may take ten
    times as long as train_f_theta.
    The last lines are printed when the handler is closed, after every message of Snakemake.
    """

    def __init__(
        self,
        stage_of: Callable[[str], str],
        unfinished: Callable[[], Mapping[int, str]],
        length_of: Callable[[str], float],
    ) -> None:
        super().__init__()
        self._stage_of = stage_of
        self._unfinished = unfinished
        self._length_of = length_of
        self._started: float | None = None
        self._jobs: dict[int, _Job] = {}
        self._ended: list[int] = []  # finished, but not yet printed
        self._finished: set[int] = set()
        self._seconds: dict[str, list[float]] = {}  # of the finished jobs of each rule
        self._faults: dict[int, list[str]] = {}
        self._done = self._total = 0
        self._stopped = False
        self._log = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the part of `record` that people need, or keep it for the last lines."""
        try:
            for line in self._lines(record):
                self._print(line)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Print the last lines: how many jobs are done, and the faults."""
        for line in self._last_lines():
            self._print(line)
        self._started = None  # Python closes every handler again when it exits
        super().close()

    def _print(self, line: str) -> None:
        self.stream.write(f"{line}\n")
        self.flush()

    def _lines(self, record: logging.LogRecord) -> Iterable[str]:
        event = str(getattr(record, "event", None) or "")
        fields, text = vars(record), record.getMessage()
        if event == "run_info":
            self._total = fields.get("stats", {}).get("total", 0)
        elif event == "job_info":
            now = time.monotonic()
            self._started = now if self._started is None else self._started
            self._jobs[fields["jobid"]] = _Job(fields["rule_name"], _name(fields), fields["log"], now)
        elif event == "job_finished":
            self._ended.append(fields["job_id"])
        elif event == "progress":
            self._done, self._total = fields["done"], fields["total"]
            return self._finish()
        elif event == "job_error":
            return self._fail(fields)
        elif STOPPED.match(text):
            self._stopped = True
            return ["Stopping"]
        elif text.startswith("Complete log(s): "):
            self._log = os.path.relpath(text.removeprefix("Complete log(s): "))
        elif event == "error" and REPORTED_BY_JOB.search(text):
            # Ctrl-C may end a job before Snakemake itself notices it.
            self._stopped = self._stopped or INTERRUPTED in text
            return []
        elif event not in SILENT_EVENTS and not SILENT.match(text):
            return [_plain(text)]
        return []

    def _finish(self) -> list[str]:
        now, lines = time.monotonic(), []
        for number in self._ended:
            self._finished.add(number)
            self._faults.pop(number, None)  # a second attempt succeeded
            job = self._jobs.pop(number, None)
            if job is None or not job.log:  # a rule without a log only names files
                continue
            self._seconds.setdefault(job.rule, []).append(now - job.started)
            # Which jobs a data set needs is known when its cases are listed.
            more = "+" if self._total_grows() else ""
            count = f"{self._done:>{len(str(self._total))}}/{self._total}{more}"
            took = duration(now - job.started)
            lines.append(f"{_clock()} [{count}] {self._stage_of(job.rule)}: {job.name}, {took}")
        self._ended.clear()
        if lines and (left := self._seconds_left(now)) is not None:
            lines[-1] += f"; about {duration(left)} left"
        return lines

    def _total_grows(self) -> bool:
        """Whether the job that lists the cases is still to come."""
        return any(
            rule == LISTS_CASES and number not in self._finished
            for number, rule in self._unfinished().items()
        )

    def _seconds_left(self, now: float) -> float | None:
        """The time left at the pace so far; None if nothing is left, or most of it is of an unknown kind."""
        left = [rule for number, rule in self._unfinished().items() if number not in self._finished]
        kinds: dict[str, list[float]] = {}  # seconds of a job of length 1
        for rule, seconds in self._seconds.items():
            length = self._length_of(rule)
            kinds.setdefault(_kind(rule), []).extend(each / length for each in seconds)
        known = sum(_kind(rule) in kinds for rule in left)
        if self._started is None or not left or known < len(left) / 2:
            return None
        all_seconds = [each for seconds in self._seconds.values() for each in seconds]
        cost = sum(self._expected(rule, kinds, all_seconds) for rule in left)
        running = sum(now - job.started for job in self._jobs.values())
        at_once = max(1.0, (sum(all_seconds) + running) / max(now - self._started, 1.0))
        return max(0.0, cost - running) / at_once

    def _expected(
        self, rule: str, kinds: Mapping[str, Sequence[float]], all_seconds: Sequence[float]
    ) -> float:
        """Seconds of one job, from finished jobs of its rule, else of its kind, else from all."""
        if rule in self._seconds:
            return fmean(self._seconds[rule])
        if _kind(rule) in kinds:
            return fmean(kinds[_kind(rule)]) * self._length_of(rule)
        return fmean(all_seconds)

    def _fail(self, fields: Mapping[str, Any]) -> list[str]:
        job = self._jobs.pop(fields["jobid"], None)
        if self._stopped:
            return []
        head = f"{job.name if job else fields['rule_name']} failed"
        if fields["log"]:
            head += f", log: {fields['log'][0]}"
        message = fields["rule_msg"]  # from SLURM
        self._faults[fields["jobid"]] = [head, *([message] if message else []), *faults_in(fields["log"])]
        # Snakemake waits for other running jobs; if there are none, the last lines follow at once.
        return [" ".join([_clock(), head, message or ""]).rstrip()] if self._jobs or message else []

    def _last_lines(self) -> Iterable[str]:
        if self._started is None:
            return
        took = duration(time.monotonic() - self._started)
        if self._log:
            yield f"{self._done} of {self._total} jobs done in {took}. Snakemake's own log: {self._log}"
        if self._stopped:
            yield f"Stopped. The same command goes on; {self._done} of {self._total} done."
            return
        for lines in self._faults.values():
            yield from lines


class PlainFaults(logging.Filter):
    """Shortens the faults in Snakemake's own output, for a dry run, to what people need."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the place in the rules of a fault that the rules report."""
        if str(getattr(record, "event", None) or "") == "error":
            record.msg, record.args = _plain(record.getMessage()), ()
        return True


def faults_in(logs: Iterable[str]) -> list[str]:
    """The faults in the first readable file of a failed job's `logs`; at least one line."""
    for path in logs:
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        found = [line.split(ERROR, 1)[1] for line in lines if ERROR in line]
        if found and found[0].startswith("Traceback"):
            return [f"A bug; its traceback is in that log: {lines[-1]}"]
        if found:
            return found
    return ["Its log has no error message: it was killed, ran out of memory, or its message is above."]


def _plain(text: str) -> str:
    """A fault that the rules report, without its place in the rules; any other text unchanged."""
    head, *lines = text.splitlines() or [""]
    if head.startswith("InputFunctionException") and lines[:2] == ["Error:", "  WorkflowError:"]:
        return "\n".join(line.strip() for line in lines[2 : lines.index("Wildcards:")])
    if re.match("WorkflowError( in |:$)", head):
        return "\n".join(line for line in lines if not line.startswith('  File "'))
    return text


def _name(fields: Mapping[str, Any]) -> str:
    words = [f"{key}={value}" for key, value in fields["wildcards"].items() if value and key != "dataset"]
    return " ".join([fields["rule_name"], *words])


def _kind(rule: str) -> str:
    return rule.split("_")[0]  # an iteration of train_f_theta takes about as long as one of train_f_phi


def _clock() -> str:
    return time.strftime("%H:%M:%S")
