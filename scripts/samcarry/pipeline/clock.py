"""Files with times in the future, which remain after the system clock was set back."""

import os
import shlex
import stat
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

SECOND = 1_000_000_000
TOLERANCE = 10 * SECOND
"""A smaller lead is accepted: file servers use their own clocks, which differ by seconds."""

# Snakemake compares seconds as floats, which have a resolution of a quarter of a microsecond.
_STEP = 1_000
_SKIPPED = (".snakemake", "__pycache__")


def clock_fault(paths: Sequence[str], now: int, command: Sequence[str]) -> str:
    """A line about files that are newer than `now` and how to fix their times; '' if there are none.

    Args:
        paths: the files and folders to look at; one that does not exist is skipped.
        now: the time in nanoseconds.
        command: the command that runs `fix_times`, to which the affected paths are added.
    """
    found = {path: _newer([path], now + TOLERANCE) for path in paths}
    times = {file: time for files in found.values() for file, time in files.items()}
    if not times:
        return ""
    newest = max(times, key=times.__getitem__)
    ahead = timedelta(seconds=(times[newest] - now) // SECOND)
    others = f" (and {len(times) - 1} more)" if len(times) > 1 else ""
    fix = shlex.join([*command, *(path for path, files in found.items() if files)])
    return (
        f"{str(newest)!r}{others} has a time {ahead} in the future: the clock of this machine was set back, "
        f"or is wrong. When the clock is right, run `{fix}`, which changes only these times, and then repeat "
        "the same command."
    )


def fix_times(paths: Iterable[str], now: int) -> int:
    """Set files that are newer than `now` to just before it, in the order of their times.

    Because the order is kept, finished results stay finished, and outdated results of an interrupted run stay
    outdated. With one time for all files, Snakemake could not see that, and would compute everything again,
    because it expects results to be newer than their scripts.

    Args:
        paths: files and folders.
        now: the time in nanoseconds.

    Returns:
        The number of files whose time was changed.

    Raises:
        OSError: if a time may not be changed.
    """
    files = _newer(paths, now)
    times = sorted(set(files.values()))
    rank = {time: now - _STEP * (len(times) - place) for place, time in enumerate(times)}
    # The oldest first, so that the order is still the same if this is stopped halfway.
    for file, time in sorted(files.items(), key=lambda item: item[1]):
        os.utime(file, ns=(rank[time], rank[time]), follow_symlinks=False)
    return len(files)


def _newer(paths: Iterable[str], limit: int) -> dict[Path, int]:
    """The times of all files (links included) that are newer than `limit`."""
    newer = {}
    waiting = [Path(path) for path in paths]
    seen = set()
    while waiting:
        path = waiting.pop()
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                if (status.st_dev, status.st_ino) in seen:  # links may form a circle
                    continue
                seen.add((status.st_dev, status.st_ino))
            if stat.S_ISDIR(status.st_mode):
                waiting += (entry for entry in path.iterdir() if entry.name not in _SKIPPED)
                continue
        except OSError:  # deleted, or unreadable, which the rule that needs it reports
            continue
        if stat.S_ISLNK(status.st_mode):
            waiting.append(Path(os.path.realpath(path)))
        if status.st_mtime_ns > limit:
            newer[path] = status.st_mtime_ns
    return newer
