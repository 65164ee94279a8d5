"""Which run may write results: a job of an earlier run writes nothing.

A run is one `snakemake` command. The jobs of a suspended run wake up when another run has finished, and would
replace its results. Standard library only, because the Snakefile imports this module.
"""

import hashlib
import os
import secrets
import sys
import threading
import time
from pathlib import Path

from samcarry.errors import InputError

_RUN = "SAMCARRY_RUN"
"""Environment variable: the token of the run."""

_FOLDER = Path(".snakemake/samcarry")

_joined: list[Path] = []

_SECONDS = 1.0
"""How often a run looks whether there is a newer one."""


def announce_run(*, is_main: bool, dataset: str, config: object) -> None:
    """Give the jobs that this process starts the token of their run, which includes a digest of its config.

    Args:
        is_main: whether this is the process that a person started, and not that of a job on a cluster.
        dataset: name of the data set.
        config: the config as this process has read it. A job on a cluster reads the file again.

    Raises:
        InputError: the config was edited after the run of this job had started.
    """
    digest = hashlib.sha256(repr(config).encode()).hexdigest()[:16]
    if is_main:
        os.environ[_RUN] = f"{secrets.token_hex(8)}-{digest}"
    elif _RUN not in os.environ:  # a cluster that does not pass the environment on
        os.environ[_RUN] = _newest(dataset)
    if os.environ[_RUN] and not os.environ[_RUN].endswith(f"-{digest}"):
        raise InputError(
            "config: was edited after this run had started, so a job that starts now would mix two configs; "
            "wait until the run has ended, or stop it, and run again"
        )


def claim_results(dataset: str) -> None:
    """Make this run the newest one of a data set; jobs of earlier runs write nothing from now on."""
    file = _file(dataset)
    file.parent.mkdir(parents=True, exist_ok=True)
    private = file.with_name(f".{file.name}.{os.getpid()}")
    private.write_text(os.environ[_RUN], encoding="utf-8")
    private.replace(file)


def watch_claim(dataset: str) -> None:
    """End this process as soon as a newer run claims the data set, from a thread of its own.

    A suspended run that wakes up would find its jobs failed, and Snakemake would delete their outputs, which
    are those of the newer run by then. Ended at once, it deletes nothing, and its jobs end with it.
    """

    def watch() -> None:
        while _is_newest(_file(dataset)):
            time.sleep(_SECONDS)
        print("Stopped, because a newer run of this data set has started.", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def join_run(dataset: str) -> None:
    """Let this job's process write only as long as its run is the newest one of the data set."""
    if os.environ.get(_RUN):
        _joined[:] = [_file(dataset)]


def check_run(path: str | Path) -> None:
    """Stop before a job writes `path` if a newer run has started.

    Raises:
        InputError: there is a newer run.
    """
    for file in _joined:
        if not _is_newest(file):
            time.sleep(5 * _SECONDS)  # time for the run to end by itself, see `watch_claim`
            raise InputError(
                f"{path}: a newer run of this data set has started, so this job of an earlier run does not "
                "write it; no action is needed"
            )


def _file(dataset: str) -> Path:
    return _FOLDER / f"run-{dataset}"


def _is_newest(file: Path) -> bool:
    """Whether this process belongs to the run that was the last to claim the results, as far as is known."""
    try:
        return file.read_text(encoding="utf-8") in ("", os.environ[_RUN])
    except OSError:
        return True


def _newest(dataset: str) -> str:
    try:
        return _file(dataset).read_text(encoding="utf-8")
    except OSError:
        return ""
