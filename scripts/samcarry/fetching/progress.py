"""The progress of a download: a line that is rewritten on a terminal, and a few lines in a log."""

import logging
import sys
import time

from samcarry.fetching.download import Report
from samcarry.runtime.progress import duration

log = logging.getLogger(__name__)
_STEPS = 10  # lines in a log


def saying(name: str) -> Report:
    """A function that reports how much of `name` has arrived."""
    started = shown = time.monotonic()
    first, logged = None, 0

    def say(done: int, total: int | None) -> None:
        nonlocal first, logged, shown
        now = time.monotonic()
        first = done if first is None else first
        rate = (done - first) / max(now - started, 0.1)
        left = f", about {duration((total - done) / rate)} left" if total and rate else ""
        text = f"{name}: {done / 1e6:.1f}" + (f" of {total / 1e6:.1f} MB{left}" if total else " MB")
        if sys.stderr.isatty() and (now - shown > 1 or done == total):
            sys.stderr.write(f"\r\033[K{text}" + ("\n" if done == total else ""))
            sys.stderr.flush()
            shown = now
        step = done * _STEPS // total if total else done // 100_000_000
        if step > logged:
            logged = step
            log.info("%s", text, extra={"in_file_only": True} if sys.stderr.isatty() else {})

    return say
