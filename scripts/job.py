"""The frame of every script of a rule: log file, threads, provenance, and errors as clear lines."""

import contextlib
import hashlib
import logging
import os
import platform
import signal
import sys
import time
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from samcarry.errors import DamagedError, InputError
from samcarry.runtime.processes import end_with_parent, usable_cpus
from samcarry.storage.files import sha256

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a job without a traceback

PACKAGES = ("numpy", "scipy", "nibabel", "torch", "segment-anything", "nnunetv2", "optuna")


@dataclass(frozen=True)
class Job:
    """What a script can use of the job that runs it."""

    log: logging.Logger
    threads: int
    device: str  # 'cuda' if there is a GPU, else 'cpu'
    made_by: dict[str, Any]  # provenance of the results: rule, wildcards, settings, inputs, versions


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[Job]:
    """Log to the rule's log file and to the terminal; report an InputError as its lines only.

    Any other exception is a bug: its traceback is written to the log and the terminal.
    """
    started = time.process_time()  # for starting Python and importing libraries
    end_with_parent()  # otherwise trainings of a killed run would continue beside those of the next run
    log = _logger(snakemake)
    threads = min(snakemake.threads, usable_cpus())
    device = _set_up_torch(threads) if "torch" in sys.modules else "cpu"
    try:
        yield Job(log, threads, device, _made_by(snakemake, device))
    except InputError as error:
        for line in _as_text(error).splitlines():
            log.error("error: %s", line)  # samcarry.pipeline.terminal searches for this word
        if "fault" in snakemake.params.keys():  # noqa: SIM118
            Path(snakemake.log[0]).with_suffix(".fault").write_text(uuid.uuid4().hex)
        _leave(1)
    except Exception:
        log.error("error: %s", traceback.format_exc())
        _leave(1)
    took = (time.process_time(), started)
    log.info("done: %.1f s of CPU time, %.1f s of it for starting", *took, extra={"in_file_only": True})


def _as_text(error: InputError) -> str:
    if not isinstance(error, DamagedError):
        return str(error)
    # As a target, because Snakemake ignores a missing file if everything that depends on it exists.
    return (
        f"{error}. Delete this file and run `snakemake {error.path} all` with the options of this run: "
        "this computes the file again, and everything that depends on it."
    )


def fingerprint(*parts: object) -> str:
    """A digest of settings (by repr) and of files (by content)."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update((sha256(part) if isinstance(part, Path) else repr(part)).encode())
    return digest.hexdigest()


def _leave(code: int) -> None:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # sys.exit would make Snakemake's preamble print a traceback of its own


def _logger(snakemake: Any) -> logging.Logger:
    wildcards = " ".join(f"{key}={value}" for key, value in snakemake.wildcards.items() if value)
    name = f"{snakemake.rule} {wildcards}".strip()
    form = logging.Formatter(f"%(asctime)s [{name}] %(message)s", "%H:%M:%S")
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = logging.StreamHandler()
    terminal.addFilter(lambda record: not hasattr(record, "in_file_only"))
    for handler in (logging.FileHandler(path, "w", "utf-8"), terminal):
        handler.setFormatter(form)
        root.addHandler(handler)
    logging.captureWarnings(True)
    return logging.getLogger("samcarry")


def _set_up_torch(threads: int) -> str:
    import torch

    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    return "cuda" if torch.cuda.is_available() else "cpu"


def _made_by(snakemake: Any, device: str) -> dict[str, Any]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(Exception):
            versions[package] = version(package)
    from samcarry import __version__

    versions["samcarry"] = __version__
    hardware = {}
    if "torch" in sys.modules:
        from samcarry.runtime.device import fast_format

        hardware = {"device": device, "auto_precision": fast_format(device)}
    return {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "inputs": {str(path): sha256(path) for path in snakemake.input},
        "params": {key: value for key, value in snakemake.params.items() if key != "made_by"},
        "versions": versions,
        **hardware,
    }
