"""Run parsers on damaged files (mutants) in a process with limits for time and memory.

A parser has to read a mutant, or refuse it with an InputError whose lines all name the file. Anything else is
a finding.
"""

import multiprocessing
import os
import resource
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from samcarry.errors import InputError
from support.mutations import mutate

MOST_SECONDS = 5  # of CPU time per mutant
MOST_MEMORY = 2_000_000_000  # bytes of address space, above that at the start of the process
MOST_PEAK = 1_000_000_000  # bytes of memory in use, above that at the start
_LONGEST_LINE = 1000
_PATIENCE = 120  # seconds until a process that uses no CPU time is killed


@dataclass(frozen=True)
class Target:
    """A parser: `make` writes a small valid file, `parse` reads a file of that name."""

    name: str
    file_name: str
    make: Callable[[Path], object]
    parse: Callable[[Path], object]


def fuzz(target: Target, content: bytes, numbers: range, seed: int, folder: Path) -> list[str]:
    """Findings for the mutants of `content` with these numbers; a seed always gives the same mutants."""
    context = multiprocessing.get_context("fork")
    findings: list[str] = []
    current = numbers.start
    while current < numbers.stop:
        receiver, sender = context.Pipe(duplex=False)
        rest = range(current, numbers.stop)
        process = context.Process(target=_work, args=(target, content, rest, seed, folder, sender))
        process.start()
        sender.close()
        try:
            while receiver.poll(_PATIENCE):
                current, finding = receiver.recv()
                if finding:
                    findings.append(f"{target.name} {current}: {finding}")
            process.kill()
            findings.append(f"{target.name} {current}: waits without using CPU time")
        except EOFError:
            process.join()
        if process.exitcode:  # negative if a signal ended it
            name = signal.Signals(-process.exitcode).name if process.exitcode < 0 else process.exitcode
            slow = f" (more than {MOST_SECONDS} s)" if name == "SIGPROF" else ""
            findings.append(f"{target.name} {current}: the process died of {name}{slow}")
        current += 1
    return findings


def _work(
    target: Target, content: bytes, numbers: range, seed: int, folder: Path, sender: Connection
) -> None:
    """Send each number before its mutant is read, and each finding; stop early after too much memory."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / target.file_name
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # C libraries print messages of their own
    peak = _limit_memory()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for number in numbers:
        sender.send((number, None))
        path.write_bytes(mutate(content, Random(f"{seed} {target.name} {number}")))
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        finding = finding_in(target, path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if finding:
            sender.send((number, finding))
        if _peak() > peak + MOST_PEAK:
            sender.send((number, f"takes {(_peak() - peak) / 1e9:.1f} GB"))
            return


def finding_in(target: Target, path: Path) -> str | None:
    """What is wrong with how the parser treats a file; None if it reads it, or refuses it properly."""
    try:
        target.parse(path)
    except InputError as error:
        lines = str(error).split("\n")
        for line in lines if len(lines) > 1 else [str(error)]:
            if not line.isprintable() or len(line) > _LONGEST_LINE:
                return f"has an unprintable or overlong line: {line!r:.300}"
            if str(path.parent) not in line and not line.startswith("... and "):
                return f"does not name the file: {line:.300}"
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        ours = [f for f in traceback.extract_tb(error.__traceback__) if "/samcarry/" in f.filename]
        at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
        return f"raises {type(error).__name__} ({error!s:.100}) at {at} in {Path(place.filename).name}"
    return None


def _limit_memory() -> int:
    """Limit the address space; return the peak memory use so far, in bytes."""
    statm = Path("/proc/self/statm")
    if statm.exists():  # only Linux has this limit
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MOST_MEMORY, now + MOST_MEMORY))
    return _peak()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
