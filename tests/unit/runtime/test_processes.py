"""A process ends with its parent, and counts only usable CPUs."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from samcarry.runtime import processes
from samcarry.runtime.processes import peak_memory, seconds_since_start, usable_cpus, wait_asleep
from support.paths import SCRIPTS

CHILD = (
    "import time; from samcarry.runtime.processes import end_with_parent; {}; "
    "print('up', flush=True); time.sleep(60)"
)
PARENT = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a process with its parent")
@pytest.mark.parametrize(("call", "outlives"), [("end_with_parent()", False), ("None", True)])
def test_it_ends_when_its_parent_is_killed_and_only_if_it_asked_for_that(call, outlives):
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", CHILD.format(call)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "up\n"
        parent.kill()
    try:
        assert alive(child, seconds=1 if outlives else 20) is outlives
    finally:
        if outlives:
            os.kill(child, signal.SIGKILL)


# As a run with --sdm conda: a shell is between Snakemake and the job.
RUN = (
    "import subprocess, sys; from samcarry.runtime.processes import announce_parent; announce_parent(); "
    "subprocess.Popen(['/bin/sh', '-c', '\"$@\"; true', 'sh', *sys.argv[1:]]).wait()"
)
JOB = (
    "import os, time; print(os.getpid(), flush=True); {before}"
    "from samcarry.runtime.processes import end_with_parent; {call}; print('up', flush=True); time.sleep(60)"
)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch another process")


def started(job):
    command = [sys.executable, "-c", RUN, sys.executable, "-c", job]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@LINUX
@pytest.mark.parametrize(("call", "outlives"), [("end_with_parent()", False), ("None", True)])
def test_a_job_ends_when_its_run_is_killed_although_a_shell_is_between_them(call, outlives):
    with started(JOB.format(before="", call=call)) as run:
        job = int(run.stdout.readline())
        assert run.stdout.readline() == "up\n"
        run.kill()
        run.stdout.close()
    try:
        assert alive(job, seconds=1 if outlives else 20) is outlives
    finally:
        if outlives:
            os.kill(job, signal.SIGKILL)


@LINUX
def test_a_job_whose_run_was_killed_before_it_could_watch_ends_at_once():
    """As one that still loaded torch when Snakemake was killed."""
    with started(JOB.format(before="time.sleep(1.5); ", call="end_with_parent()")) as run:
        job = int(run.stdout.readline())
        run.kill()
        assert run.stdout.readline() == ""  # it never came up
    assert not alive(job, seconds=20)


@LINUX
def test_another_process_with_the_number_of_the_run_is_not_taken_for_it(monkeypatch):
    ended = []
    monkeypatch.setattr(processes, "_end", lambda: ended.append(True))
    monkeypatch.setenv(processes._PARENT, f"{os.getpid()} 12345678901")
    processes.end_with_parent()
    assert ended


def alive(process, seconds):
    """Whether a process still runs after some seconds; returns early if it ends."""
    try:
        psutil.Process(process).wait(seconds)
    except psutil.NoSuchProcess:
        return False
    except psutil.TimeoutExpired:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    return False


def test_only_cpus_that_this_process_may_use_are_counted(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert usable_cpus() == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("50000 100000", 1),
        ("9900000 100000", 8),
        ("", 8),
        ("1 0", 8),
    ],
)
def test_the_quota_of_a_container_counts(monkeypatch, tmp_path, text, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(text)
    assert usable_cpus(tmp_path / "cpu.max") == expected
    assert usable_cpus(tmp_path / "none") == 8


def test_threads_that_wait_sleep_unless_the_user_wants_otherwise(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "")  # so that it is put back afterwards
    monkeypatch.delenv("OMP_WAIT_POLICY")
    wait_asleep()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    wait_asleep()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="only glibc can be set so")
def test_freed_memory_is_used_again():
    code = """
import resource, numpy
from samcarry.runtime.processes import keep_freed_memory
keep_freed_memory()
for _ in range(20):
    numpy.ones(10_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert int(run.stdout) < 2 * 80_000_000 / os.sysconf("SC_PAGE_SIZE")  # of 20


def test_wall_time_since_the_start_of_the_process():
    expected = time.time() - psutil.Process().create_time()
    assert seconds_since_start() == pytest.approx(expected, abs=1)


def test_wall_time_is_cpu_time_where_the_system_does_not_say_more(monkeypatch):
    monkeypatch.setattr(processes, "_started", lambda process: "-")
    assert seconds_since_start() == pytest.approx(time.process_time(), abs=1)


MEMORY = """
import os, sys
from samcarry.runtime.processes import peak_memory
block = bytearray({own})
if {copy}:
    del block
    if os.fork():
        sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
os.system("{python} -c 'bytearray({child})'")
print(peak_memory())
"""


@LINUX
@pytest.mark.parametrize(
    ("own", "child", "copy", "least", "most"),
    [(200_000_000, 1, False, 190, 300), (1, 300_000_000, False, 280, 400), (200_000_000, 1, True, 5, 100)],
    ids=["own", "of a child", "not what it was a copy of"],
)
def test_peak_memory(own, child, copy, least, most):
    code = MEMORY.format(own=own, child=child, copy=copy, python=sys.executable)
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert least < float(run.stdout) < most


def test_peak_memory_without_linux(monkeypatch):
    monkeypatch.setattr(processes.Path, "read_text", lambda *_, **__: (_ for _ in ()).throw(OSError))
    assert peak_memory() > 10
    monkeypatch.setattr(sys, "platform", "darwin")
    assert peak_memory() > 0
