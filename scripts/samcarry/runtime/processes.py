"""Ending with the parent process, and the number of usable CPUs."""

import ctypes
import os
import signal
import sys

SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


def end_with_parent() -> None:
    """Let Linux kill this process when its parent process ends, for whatever reason.

    On other systems this does nothing: the process may outlive its parent, which wastes only time.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)


def usable_cpus() -> int:
    """The number of CPUs that this process may use; clusters and containers often grant fewer than exist."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
