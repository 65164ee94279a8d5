"""Progress of long loops as log lines: enough to see the time left, too few to flood a log."""

import logging
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")
SECONDS = 15.0


def progress(items: Iterable[Item], verb: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items`; every 15 s and at the end log '<verb> 12 of 64, 40 s left'."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    began = spoke = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - spoke > SECONDS and total is not None:
            left = duration((now - began) / done * (total - done))
            log.info("%s %d of %d, %s left", verb, done, total, left)
            spoke = now
    log.info("%s %d in %s", verb, done, duration(time.monotonic() - began))


def duration(seconds: float) -> str:
    """Seconds for people: '42 s', '7 min', '3.2 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
