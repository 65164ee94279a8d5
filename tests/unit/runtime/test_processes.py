"""A process ends with its parent, and counts only usable CPUs."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from samcarry.runtime.processes import usable_cpus
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
