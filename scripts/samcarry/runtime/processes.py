"""Processes: ending with the parent process, and how many CPUs are usable."""

import ctypes
import os
import signal
import sys

SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


def end_with_parent() -> None:
    """Have Linux kill this process when the one that started it ends, however that ends.

    Elsewhere nothing happens: there it may outlive its parent, which wastes time and spoils nothing.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)


def usable_cpus() -> int:
    """How many CPUs this process may use (a cluster or container often grants fewer than exist)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
