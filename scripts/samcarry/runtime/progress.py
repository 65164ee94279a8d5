"""Progress of long loops as log lines, not too many for a readable log.

A progress bar (tqdm) would fill a log file.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")
SECONDS = 15.0
"""Least time between two log lines."""


def progress(items: Iterable[Item], verb: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items`; every 15 s log '<verb> 12 of 64, 40 s left', and at the end '<verb> 64 in 50 s'."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    started = last_logged = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last_logged > SECONDS and total is not None:
            left = duration((now - started) / done * (total - done))
            log.info("%s %d of %d, %s left", verb, done, total, left)
            last_logged = now
    log.info("%s %d in %s", verb, done, duration(time.monotonic() - started))


def duration(seconds: float) -> str:
    """Seconds as readable text: '42 s', '7 min', '3.2 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
