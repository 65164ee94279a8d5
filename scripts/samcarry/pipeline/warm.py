"""Jobs as copies of a process that has imported the slow packages already. Standard library only.

Importing torch takes two seconds of CPU time, which is most of a short job. So the jobs of a run that need it
are copies (forks) of one process, a worker, which has imported it and does nothing else. The same holds for
jobs that need NumPy, but not torch. Apart from their start, these jobs are as any other: a process for each,
with its own environment, log and exit status. Library code is imported in each job.

Workers end with Snakemake. They need Linux, since other systems do not allow copies of such processes. Jobs
in a conda environment, in a container or on a cluster start as usual.
"""

import atexit
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samcarry.pipeline.code_digest import imported_names

PROGRAM = Path(__file__).parents[2] / "warm_worker.py"
_ARRAYS = ("snakemake.logging", "numpy", "nibabel", "scipy.ndimage")
PRELOADED = {"torch": (*_ARRAYS, "torch"), "numpy": (*_ARRAYS, "pandas"), "pandas": (*_ARRAYS, "pandas")}
"""{package: what the worker imports for jobs with it}; the first package that a script imports counts."""
OFF = "SAMCARRY_COLD"
"""Environment variable: if set, each job starts and imports everything itself."""
_SPACE = " " * 2000
"""Room for the command line of a job, see the worker."""
_THREADS = [f"{name}_NUM_THREADS" for name in ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")]
_THREADS += ["VECLIB_MAXIMUM_THREADS"]
_TEMPORARY = ("TMPDIR", "TMP", "TEMPDIR", "TEMP")
"""The environment variables that Snakemake sets for a job."""


def use_workers(python_script: Any, scripts: Path) -> None:
    """Let jobs on this machine start as copies of workers, if the system and the user allow it.

    Args:
        python_script: Snakemake's class for the execution of a rule's Python script, which is changed.
        scripts: the folder of our scripts; those of other workflows start as usual.
    """
    start = python_script.execute_script
    if not is_possible() or start.__module__ == __name__:
        return
    workers = Workers()

    def execute_script(self: Any, fname: str, edit: bool = False) -> None:
        elsewhere = self.conda_env or self.container_img or self.env_modules or self.shadow_dir
        script = Path(os.path.normpath(self.local_path)) if self.is_local else None
        is_ours = script and script.is_relative_to(scripts)
        package = package_of(script, scripts) if is_ours and not elsewhere else None
        if not package:
            return start(self, fname, edit)
        folder = self.resources.get("tmpdir")
        environment = {
            **os.environ,
            **dict.fromkeys(_THREADS, str(self.threads)),
            **(dict.fromkeys(_TEMPORARY, folder) if folder else {}),
        }
        status = workers.run(fname, package, environment)
        if status:
            raise subprocess.CalledProcessError(status, [sys.executable, fname])

    python_script.execute_script = execute_script
    atexit.register(workers.stop)


def is_possible() -> bool:
    """Whether this system allows workers, and the user does as well."""
    if sys.platform != "linux" or os.environ.get(OFF):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # an old kernel
        return False
    return True


@functools.cache
def package_of(script: Path, scripts: Path) -> str | None:
    """The package of the worker that a script starts from; None if it imports no slow package."""
    imported = {name.split(".")[0] for name in imported_names(script, scripts)}
    return next((package for package in PRELOADED if package in imported), None)


@dataclass(frozen=True)
class _Worker:
    process: subprocess.Popen[bytes]
    requests: socket.socket


@dataclass
class Workers:
    """The workers of this process, each started when the first job needs it."""

    _started: dict[tuple[Sequence[str], str | None], _Worker] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, script: str | Path, package: str, environment: Mapping[str, str]) -> int:
        """Run a script as a copy of a worker, and return its exit status, or the negative number of a signal.

        Args:
            script: the Python file.
            package: a key of `PRELOADED`.
            environment: all environment variables of the job.
        """
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._lock:
                worker = self._worker(package, environment)
                with contextlib.suppress(OSError):
                    socket.send_fds(worker.requests, [b"j"], [theirs.fileno()])
            with contextlib.suppress(OSError):
                ours.sendall(json.dumps([os.fspath(script), dict(environment)]).encode())
                ours.shutdown(socket.SHUT_WR)
                if answer := ours.recv(16):
                    return int(answer)
        # The worker was killed, and its jobs with it.
        return worker.process.wait() or -signal.SIGKILL

    def stop(self) -> None:
        """End the workers; their jobs have to have ended."""
        for worker in self._started.values():
            worker.requests.close()
            worker.process.kill()  # it may still be importing
            worker.process.wait()

    def _worker(self, package: str, environment: Mapping[str, str]) -> _Worker:
        # Libraries of arrays read the number of threads when they are imported.
        key = (PRELOADED[package], environment.get(_THREADS[0]))
        worker = self._started.get(key)
        if worker and worker.process.poll() is not None:
            worker.requests.close()
            worker = None
        if worker is None:
            worker = self._started[key] = _start(PRELOADED[package], environment)
        return worker


def _start(modules: Sequence[str], environment: Mapping[str, str]) -> _Worker:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, str(PROGRAM), str(theirs.fileno()), *modules, _SPACE]
        process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])  # noqa: S603
    return _Worker(process, ours)
