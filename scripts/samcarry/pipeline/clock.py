"""Files from the future, which a clock that was set back leaves behind."""

import os
import shlex
import stat
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

SECOND = 1_000_000_000
TOLERANCE = 10 * SECOND
"""Ahead by less is no fault: file servers stamp with clocks of their own, which differ by seconds."""

# Snakemake compares seconds as floats, which tell a quarter of a microsecond apart.
_STEP = 1_000
_SKIPPED = (".snakemake", "__pycache__")


def clock_fault(paths: Sequence[str], now: int, command: Sequence[str]) -> str:
    """A line about files that are newer than `now`, and how to mend that; '' if there are none.

    Args:
        paths: the files and folders to look at; one that does not exist is passed over.
        now: the time in nanoseconds.
        command: the words that start `mend_times`, to which the paths concerned are added.
    """
    found = {path: _newer([path], now + TOLERANCE) for path in paths}
    times = {file: time for files in found.values() for file, time in files.items()}
    if not times:
        return ""
    newest = max(times, key=times.__getitem__)
    ahead = timedelta(seconds=(times[newest] - now) // SECOND)
    others = f" (and {len(times) - 1} more)" if len(times) > 1 else ""
    mend = shlex.join([*command, *(path for path, files in found.items() if files)])
    return (
        f"{str(newest)!r}{others} is newer than now by {ahead}: the clock of this machine was set back, or "
        f"is wrong. Once it is right, run `{mend}`, which changes nothing but these times, and then the same "
        "command again."
    )


def mend_times(paths: Iterable[str], now: int) -> int:
    """Set files that are newer than `now` to just before it, in the order of their times.

    So what is finished stays finished, and what an interrupted run had still to make anew is still older than
    what it is made of. One time for all would hide that, and make everything anew: Snakemake wants results
    to be newer than their scripts.

    Args:
        paths: files and folders.
        now: the time in nanoseconds.

    Returns:
        How many files were set.

    Raises:
        OSError: if a time may not be changed.
    """
    files = _newer(paths, now)
    times = sorted(set(files.values()))
    rank = {time: now - _STEP * (len(times) - place) for place, time in enumerate(times)}
    # The oldest first: stopped halfway, the order is still as it was.
    for file, time in sorted(files.items(), key=lambda item: item[1]):
        os.utime(file, ns=(rank[time], rank[time]), follow_symlinks=False)
    return len(files)


def _newer(paths: Iterable[str], limit: int) -> dict[Path, int]:
    """The times of all files, of links themselves too, that are newer than `limit`."""
    newer = {}
    waiting = [Path(path) for path in paths]
    seen = set()
    while waiting:
        path = waiting.pop()
        try:
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                if (about.st_dev, about.st_ino) in seen:  # links may lead round in a circle
                    continue
                seen.add((about.st_dev, about.st_ino))
            if stat.S_ISDIR(about.st_mode):
                waiting += (entry for entry in path.iterdir() if entry.name not in _SKIPPED)
                continue
        except OSError:  # it is gone, or whoever needs it tells that it cannot be read
            continue
        if stat.S_ISLNK(about.st_mode):
            waiting.append(Path(os.path.realpath(path)))
        if about.st_mtime_ns > limit:
            newer[path] = about.st_mtime_ns
    return newer
