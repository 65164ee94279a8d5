"""A process that has imported slow packages once and becomes a job at each request, as a copy of itself.

    python warm_worker.py DESCRIPTOR MODULE... SPACE

`samcarry.pipeline.warm` starts it and explains it. Each message on the socket DESCRIPTOR brings the socket of
one job. Through that, the job's script and environment arrive, and its exit status is returned. SPACE is text
without meaning: `ps` shows the name of a job in its place.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from pathlib import Path


def main() -> None:
    """Import the modules, wait for jobs, and be one of them in each copy."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name in sys.argv[2:-1]:
        with contextlib.suppress(Exception):  # a job that needs it reports this
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or a collection in a copy would write to, and so duplicate, the memory that they share
    # From now on, Ctrl-C ends jobs only: this process reports their ends, and ends with its run.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    script, environment = serve(socket.socket(fileno=int(sys.argv[1])))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = [script]
    sys.path[0] = str(Path(script).parent)
    show_as(sys.executable, script)
    if "numpy" in sys.modules:  # which, unlike Python's `random`, goes on with the state of this process
        sys.modules["numpy"].random.seed()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    runpy.run_path(script, run_name="__main__")


def show_as(*words: str) -> None:
    """Let `ps`, and whoever else reads the command line of this process, see these words."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # where the kernel looks for the command line; 0 if unknown
    text = "\0".join(words).encode()[: max(0, end - start - 1)]
    if start:
        ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)


def serve(requests: socket.socket) -> tuple[str, dict[str, str]]:
    """Script and environment of a job, in a copy of this process. This process itself never returns."""
    waiting = selectors.DefaultSelector()
    waiting.register(requests, selectors.EVENT_READ)
    while True:
        for ready, _ in waiting.select():
            if ready.data is None:
                message, descriptors, *_ = socket.recv_fds(requests, 1, 1)
                if not message:  # Snakemake has ended
                    os._exit(0)
                answer = socket.socket(fileno=descriptors[0])
                with answer.makefile("r", encoding="utf-8") as stream:
                    script, environment = json.load(stream)
                is_stopped = signal.SIGINT in signal.sigpending()
                job = os.fork()
                if job == 0:
                    if is_stopped:  # the signal came before the copy
                        signal.raise_signal(signal.SIGINT)
                    for other in waiting.get_map().values():
                        if other.data:
                            other.data[1].close()
                    for open_one in (answer, requests, waiting):
                        open_one.close()
                    return script, environment
                waiting.register(os.pidfd_open(job), selectors.EVENT_READ, (job, answer))
            else:
                job, answer = ready.data
                _, status = os.waitpid(job, 0)
                with answer, contextlib.suppress(OSError):
                    answer.sendall(str(os.waitstatus_to_exitcode(status)).encode())
                waiting.unregister(ready.fileobj)
                os.close(ready.fd)


if __name__ == "__main__":
    main()
