"""Digests of the contents of the user's files, so that a replaced file is noticed whatever its times say.

Reading all images for each plan would take minutes. So digests are remembered, and only files whose size,
times or inode have changed are read again. The time at which the inode changed (ctime) is one of these times:
unlike the time of modification, `cp -p`, `mv`, `git checkout` and `rsync -t` cannot set it back.
"""

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from samcarry.data.user_files import visible_entries
from samcarry.runtime.processes import usable_cpus
from samcarry.sam.folders import digest_of_sums, files_of, folder_of, is_folder
from samcarry.storage.disk import clear_leftovers
from samcarry.storage.files import sha256, write_text

_MANY_BYTES = 1_000_000_000
# A file that changes twice within a tick of the file system's clock keeps its times; on FAT, two seconds.
_TICK = 2_000_000_000

State = list[int]
"""Size in bytes, times of modification and of change in nanoseconds, and inode of a file."""


def content_of(path: str | Path, memory: Path) -> str:
    """The SHA-256 of a file; '' if it cannot be read, which the rule that reads it reports.

    Args:
        path: the file.
        memory: the folder that remembers digests.
    """
    return contents_below(path, memory).get(str(path), "")


def content_of_checkpoint(path: str | Path, memory: Path) -> str:
    """As `content_of`, for a checkpoint of a SAM or the config.json of a model folder."""
    if not is_folder(path):
        return content_of(path, memory)
    files = [file for file in files_of(folder_of(path)) if file.is_file()]
    sums = {file.name: content_of(file, memory) for file in files}
    return digest_of_sums(sums) if files and all(sums.values()) else ""


def digest_of(paths: Iterable[str], memory: Path, announce: Callable[[str], object] = print) -> str:
    """A digest of the names and contents of files, and of all files in folders; '' if there are no paths.

    Args:
        paths: files and folders.
        memory: the folder that remembers digests.
        announce: called with one line before more than a gigabyte is read.
    """
    lines = [
        f"{content} {file}\n"
        for path in sorted(set(paths))
        for file, content in contents_below(path, memory, announce).items()
    ]
    text = "".join(lines).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16] if lines else ""


def contents_below(
    path: str | Path, memory: Path, announce: Callable[[str], object] = print
) -> dict[str, str]:
    """{file: SHA-256} of a file, or of all files in a folder at any depth, without hidden ones, sorted."""
    place = memory / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.json"
    known, settled = _remembered(place), time.time_ns() - _TICK
    states = dict(_states_below(Path(path)))
    found = {
        file: known[file][-1]
        for file, state in states.items()
        if state and file in known and known[file][:-1] == state
    }
    unknown = {file: state for file, state in states.items() if state and file not in found}
    if (size := sum(state[0] for state in unknown.values())) > _MANY_BYTES:
        announce(
            f"Reading {len(unknown)} files of {path} ({size / 1e9:.1f} GB) to notice later changes. They are "
            "read again only if they change."
        )
    with ThreadPoolExecutor(min(8, usable_cpus())) as pool:
        found |= zip(unknown, pool.map(_content, unknown), strict=True)
    entries = {
        file: [*state, found[file]]
        for file, state in states.items()
        if state
        and found[file]
        and max(state[1:3]) < settled
        and (file not in unknown or _state_in(_status(file)) == state)
    }
    if entries != known:
        with contextlib.suppress(OSError):  # then these files are read again next time
            write_text(place, json.dumps(entries))
            clear_leftovers(memory)
    return {file: found.get(file, "") for file in sorted(states)}


def _states_below(path: Path) -> Iterable[tuple[str, State | None]]:
    """The file itself, or all files in the folder, with their states; links to folders are followed."""
    waiting, seen = [path], set()
    while waiting:
        here = waiting.pop()
        status = _status(here)
        if status is None or not stat.S_ISDIR(status.st_mode):
            yield str(here), _state_in(status)
        elif (place := here.resolve()) not in seen:  # links may form a circle
            seen.add(place)
            with contextlib.suppress(OSError):  # the rule that reads it reports that it cannot
                waiting += visible_entries(here)


def _status(file: str | Path) -> os.stat_result | None:
    try:
        return Path(file).stat()
    except OSError:  # it does not exist, or is a broken link
        return None


def _state_in(status: os.stat_result | None) -> State | None:
    if status is None or not stat.S_ISREG(status.st_mode):  # reading a pipe would wait forever
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _content(file: str) -> str:
    try:
        return sha256(file)
    except OSError:
        return ""


def _remembered(place: Path) -> dict[str, list]:
    """{file: [*state, SHA-256]}; nothing if nothing readable is there, so that all files are read."""
    try:
        entries = json.loads(place.read_text(encoding="utf-8"))
        return {
            file: entry
            for file, entry in entries.items()
            if isinstance(entry, list) and len(entry) == 5 and isinstance(entry[-1], str)
        }
    except (OSError, ValueError, AttributeError):
        return {}
