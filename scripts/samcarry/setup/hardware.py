"""What this machine has: GPUs, CPUs, memory and disk. Without torch, which takes seconds to import."""

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
        memory: GB of main memory; 0 if it is not known.
        free_disk: GB that are free where results are written.
    """

    gpus: tuple[tuple[str, float], ...]
    cpus: int
    memory: float
    free_disk: float

    def __str__(self) -> str:
        """The parts that decide the size of a training, as text."""
        gpus = ", ".join(f"{name} with {memory:.0f} GB" for name, memory in self.gpus) or "no GPU"
        return f"{gpus}, {self.cpus} CPUs, {self.memory:.0f} GB of memory"


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


def _memory() -> float:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024 / 1e9
    except (OSError, ValueError, IndexError):
        pass
    return 0.0
