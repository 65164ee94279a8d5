"""A job does not outlive the run that started it."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from support.paths import SCRIPTS

CHILD = (
    "import time; from samcarry.runtime.processes import end_with_parent; {}; "
    "print('up', flush=True); time.sleep(60)"
)
PARENT = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
@pytest.mark.parametrize(("promise", "outlives"), [("end_with_parent()", False), ("None", True)])
def test_it_ends_when_its_parent_is_killed_and_only_if_it_asked_for_that(promise, outlives):
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", CHILD.format(promise)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "up\n"
    parent.kill()
    parent.wait()
    try:
        assert alive(child, seconds=1 if outlives else 20) is outlives
    finally:
        if outlives:
            os.kill(child, signal.SIGKILL)


def alive(process, seconds):
    """Whether a process still runs after some seconds; at once if it does not."""
    try:
        psutil.Process(process).wait(seconds)
    except psutil.NoSuchProcess:
        return False
    except psutil.TimeoutExpired:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    return False
