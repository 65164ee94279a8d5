"""What this machine has: GPUs, CPUs, memory and disk. Without torch, which takes seconds to import."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from samcarry.runtime.processes import usable_cpus


@dataclass(frozen=True)
class Hardware:
    """What a run can use.

    Attributes:
        gpus: (name, memory in GB) of each NVIDIA GPU.
        cpus: number of CPUs that this process may use.
        memory: GB of main memory that this process may use; 0 if it is not known.
        free_disk: GB that are free where results are written.
    """

    gpus: tuple[tuple[str, float], ...]
    cpus: int
    memory: float
    free_disk: float

    def __str__(self) -> str:
        """The parts that decide the size of a training, as text."""
        gpus = ", ".join(f"{name} with {memory:.0f} GB" for name, memory in self.gpus) or "no GPU"
        memory = f"{self.memory:.1f} GB of memory" if self.memory else "memory not known"
        return f"{gpus}, {self.cpus} CPUs, {memory}"


def find_hardware(folder: Path = Path()) -> Hardware:
    """The hardware of this machine; `folder` is where results are written."""
    return Hardware(_gpus(), usable_cpus(), _memory(), shutil.disk_usage(folder).free / 1e9)


def _gpus() -> tuple[tuple[str, float], ...]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        text = subprocess.run(  # noqa: S603
            [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = []
    for line in text.splitlines():
        name, _, megabytes = line.rpartition(",")
        if name and megabytes.strip().isdecimal():
            found.append((name.strip(), int(megabytes) * 1.048576 / 1000))
    return tuple(found)


def _memory(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> float:
    """GB of main memory; `limit` is the file in which Linux says how many bytes a container may use."""
    # Not from /proc/meminfo, which some containers hide.
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0.0
    with contextlib.suppress(OSError, ValueError):  # no container, no limit ('max'), or no Linux
        memory = min(memory, int(limit.read_text(encoding="ascii")))
    return max(memory, 0) / 1e9
