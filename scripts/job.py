"""The frame of every script of a rule: log, threads, provenance, checksums, and errors as clear lines."""

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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from samcarry.errors import InputError
from samcarry.pipeline.ledger import check_input, clear_leftovers_of, seal_outputs, versions_of
from samcarry.pipeline.remedies import with_remedy
from samcarry.runtime.processes import (
    end_with_parent,
    keep_freed_memory,
    peak_memory,
    seconds_since_start,
    usable_cpus,
)
from samcarry.storage.files import sha256, write_text
from samcarry.storage.reading import system_fault
from samcarry.storage.runs import join_run

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a job without a traceback
# Before the script imports torch, which takes seconds: a job of a killed run would go on beside the next run.
end_with_parent()

PACKAGES = ("numpy", "scipy", "nibabel", "torch", "segment-anything", "transformers", "nnunetv2", "optuna")


@dataclass(frozen=True)
class Job:
    """What a script can use of the job that runs it."""

    log: logging.Logger
    threads: int
    device: str  # 'cuda' if there is a GPU, else 'cpu'
    made_by: dict[str, Any]  # provenance of the results: rule, wildcards, settings, inputs, versions
    results: Path  # the results folder of the data set

    def warn(self, lines: Iterable[str]) -> None:
        """Log each line as a warning."""
        for line in lines:
            self.log.warning(line)


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[Job]:
    """Check the inputs, run the block, and write the checksums of the outputs.

    An InputError or an error of the operating system is reported as its lines only, in the rule's log file
    and on the terminal. Any other exception is a bug: its traceback is written to both.
    """
    started = time.process_time()  # for starting Python and importing libraries
    log = _logger(snakemake)
    threads = min(snakemake.threads, usable_cpus())
    device = _set_up_torch(threads) if "torch" in sys.modules else "cpu"
    results = Path(*Path(snakemake.log[0]).parts[:2])
    # A fetched checkpoint is outside, as one that the user has put there.
    outputs = [path for path in snakemake.output if Path(path).is_relative_to(results)]
    join_run(results.name)
    try:
        with _marked_until_finished(snakemake):
            for path in clear_leftovers_of(outputs, results):
                log.info("removed %s, an unfinished file of a killed job", path)
            before = versions_of(outputs)
            yield Job(log, threads, device, _made_by(snakemake, device, results), results)
            seal_outputs(outputs, before, results)
        _write_cost(snakemake.rule, Path(snakemake.log[0]), results)
    except InputError as error:
        for line in with_remedy(error).splitlines():
            log.error("error: %s", line)  # samcarry.pipeline.terminal searches for this word
        _leave(1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            log.info("%s", traceback.format_exc(), extra={"in_file_only": True})
            log.error("error: %s", system_fault(error.filename or results, error))
        else:
            log.error("error: %s", traceback.format_exc())
        _leave(1)
    took = (time.process_time(), started)
    log.info("done: %.1f s of CPU time, %.1f s of it for starting", *took, extra={"in_file_only": True})


def _write_cost(rule: str, log: Path, results: Path) -> None:
    """Write the table of time and memory of this job, whose path follows from that of the log."""
    place = results / "benchmarks" / log.relative_to(results / "logs").with_suffix(".tsv")
    used = os.times()
    cpu_time = used.user + used.system + used.children_user + used.children_system
    row = f"{rule}\t{seconds_since_start():.1f}\t{peak_memory():.1f}\t{cpu_time:.1f}"
    write_text(place, f"rule\ts\tmax_rss\tcpu_time\n{row}\n")


@contextlib.contextmanager
def _marked_until_finished(snakemake: Any) -> Iterator[None]:
    """Change the mark that is a parameter of rules that update their outputs, until the block has ended well.

    Snakemake restores the previous outputs of such a rule when its job fails or is killed, and takes the job
    for a finished one; with another mark, it tries again.
    """
    if "fault" not in snakemake.params.keys():  # noqa: SIM118
        yield
        return
    mark = Path(snakemake.log[0]).with_suffix(".fault")
    write_text(mark, uuid.uuid4().hex)
    yield
    write_text(mark, snakemake.params.fault)


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
    keep_freed_memory()
    torch.backends.cudnn.benchmark = False
    return "cuda" if torch.cuda.is_available() else "cpu"


def _made_by(snakemake: Any, device: str, results: Path) -> dict[str, Any]:
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
        "inputs": {str(path): check_input(path, results) for path in snakemake.input},
        "params": {key: value for key, value in snakemake.params.items() if key != "made_by"},
        "versions": versions,
        **hardware,
    }
