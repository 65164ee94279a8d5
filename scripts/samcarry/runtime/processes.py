"""A process on its machine: ending with its Snakemake, usable CPUs, memory. Standard library only."""

import contextlib
import ctypes
import os
import re
import resource
import select
import signal
import sys
import threading
import time
from pathlib import Path

SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
_TRIM_THRESHOLD, _MOST_MAPPINGS = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of glibc's malloc

_PARENT = "SAMCARRY_PARENT"
"""Environment variable: process number and start time of the Snakemake that starts jobs on this machine."""


def announce_parent() -> None:
    """Let the jobs of this Snakemake know which process has to live for them."""
    os.environ[_PARENT] = f"{os.getpid()} {_started(os.getpid())}"


def end_with_parent() -> None:
    """Kill this process when the Snakemake that started it ends, for whatever reason, or has already ended.

    Its parent process ends it too, where no shell is between the two. On systems other than Linux this does
    nothing; `storage.runs.check_run` still protects the results.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)
    if _PARENT not in os.environ:
        return
    process, started = os.environ[_PARENT].split()
    try:
        # The descriptor stands for this very process, also if its number is given to another one later.
        descriptor = os.pidfd_open(int(process))
    except ProcessLookupError:
        _end()
    except OSError:  # an old kernel
        return
    has_ended = select.select([descriptor], [], [], 0)[0]  # but its own parent has not noticed yet
    if has_ended or _started(int(process)) != started:
        _end()

    def watch() -> None:
        select.select([descriptor], [], [])
        _end()

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _started(process: int) -> str:
    """When a process started, in ticks since the machine did; '-' if that is not known."""
    try:
        # The second field is the name in parentheses, which may hold anything.
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "-"


def seconds_since_start() -> float:
    """Wall time since this process started; its CPU time where the system does not say it."""
    started = _started(os.getpid())
    if started == "-":
        return time.process_time()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) / os.sysconf("SC_CLK_TCK")


def peak_memory() -> float:
    """The largest memory so far, in MB (resident set), of this process or of one that it has waited for."""
    own, largest_child = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    if sys.platform == "darwin":
        return max(own, largest_child) / 1024**2
    with contextlib.suppress(
        OSError, IndexError
    ):  # Linux: the number above also counts what this process is a copy of
        status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
        own = int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0])
    return max(own, largest_child) / 1024


def usable_cpus(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The number of CPUs that this process may use; clusters and containers often grant fewer than exist.

    `quota` is the file in which Linux says how much time a container may use: microseconds, and out of how
    many.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        granted, period = quota.read_text(encoding="ascii").split()
        return max(1, min(count, round(int(granted) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):  # no container, no quota ('max'), or no Linux
        return count


def wait_asleep() -> None:
    """Let threads of torch sleep while they wait for each other; call it before torch is imported.

    By default, OpenMP lets them spin: they use their CPU while waiting. Where another process needs a CPU
    too, the spinning thread keeps it from the thread that it waits for, and a network takes ten times as
    long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def keep_freed_memory() -> None:
    """Let this process use memory again that it has freed, instead of returning it to the system.

    By default, glibc maps every large tensor anew, and the system fills each of its pages with zeros first.
    For the layers of a network on a CPU, this takes up to a fifth of the time. The process keeps the memory
    of its peak. Other C libraries are left alone.
    """
    if "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {}):
        system = ctypes.CDLL(None)
        system.mallopt(_MOST_MAPPINGS, 0)
        system.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
