"""`samcarry doctor`: what a run needs of this machine: GPU, disk, threads, checkpoints, SLURM."""

import shutil
import subprocess
import sys
from pathlib import Path

from samcarry.pipeline.config import Config
from samcarry.sam.folders import digest_of_checkpoint
from samcarry.setup.hardware import Hardware, find_hardware

_ROOM = 5.0  # GB


def examine(config: Config, root: Path, hardware: Hardware | None = None) -> tuple[list[str], list[str]]:
    """Findings, and faults that a run would meet, one line each.

    Args:
        config: a complete config; {} if there is none.
        root: the workflow's folder.
        hardware: of the machine; None finds out.
    """
    hardware = find_hardware() if hardware is None else hardware
    lines, faults = [], []
    lines.append(f"machine: {hardware}")
    if hardware.gpus:
        lines.append(f"GPU in PyTorch: {_torch()}")
    else:
        lines.append(
            "GPU: none found by nvidia-smi, so everything runs on the CPUs; networks have to be small"
        )
    lines.append(f"disk: {hardware.free_disk:.0f} GB are free in {Path.cwd()}")
    if hardware.free_disk < _ROOM:
        faults.append(f"disk: only {hardware.free_disk:.1f} GB are free in {Path.cwd()}; make room")
    threads = config.get("training", {}).get("threads")
    if threads:
        lines.append(f"threads: {hardware.cpus} CPUs, {threads} for each job that uses torch")
        if threads > hardware.cpus:
            lines.append(f"threads: jobs use {hardware.cpus}, fewer than training.threads; that is all right")
    fetching = config.get("fetch", {}).get("when") == "missing"
    for name, entry in config.get("sam", {}).get("models", {}).items():
        good, line = _checkpoint(name, entry, fetching)
        (lines if good else faults).append(line)
    lines.append(_slurm())
    if not (root / "Snakefile").is_file():
        faults.append(f"{root}: there is no Snakefile; run samcarry in a clone of its repository")
    return lines, faults


def _checkpoint(name: str, entry: Config, fetching: bool) -> tuple[bool, str]:
    file = Path(str(entry.get("file")))
    if not file.is_file() and fetching and entry.get("url"):
        return (
            True,
            f"checkpoint {name}: {file} is missing; a run that needs it fetches it",
        )
    if not file.is_file():
        return (
            False,
            f"checkpoint {name}: {file} is missing; put it there, or remove this entry of sam.models",
        )
    size = f"{file.stat().st_size / 1e6:.0f} MB"
    if not entry.get("sha256"):
        return True, f"checkpoint {name}: {file}, {size}, SHA-256 not checked (sha256 is null)"
    if digest_of_checkpoint(file) != entry["sha256"]:
        return False, f"checkpoint {name}: {file} has another SHA-256 than the config; download it again"
    return True, f"checkpoint {name}: {file}, {size}, SHA-256 as in the config"


def _torch() -> str:
    """What PyTorch says of the GPU, in a process of its own: importing it takes seconds."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'not found')"
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "not known, PyTorch did not start"
    return done.stdout.strip()


def _slurm() -> str:
    tool = shutil.which("sbatch")
    if tool is None:
        return "SLURM: not found (sbatch); runs use this machine"
    try:
        done = subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return f"SLURM: {tool} does not answer"
    return f"SLURM: {done.stdout.strip()}; see docs/cluster.md"
