"""A disk on which the k-th call fails, and a model of what a power cut can leave.

Calls of this process for files below one folder are counted: open (for writing), write, close, fsync, rename,
mkdir, unlink and so on. One of them can fail with an error, write less than asked, or be the last one before
the process dies. All calls are recorded, so that `after_power_cut` can list how the disk may be found.
"""

import builtins
import contextlib
import errno
import functools
import io
import itertools
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from samcarry.storage import disk

ERRORS = ("EIO", "ENOSPC", "EDQUOT", "ESTALE", "EMFILE", "ENOMEM", "EACCES")
CRASHES = ("crash before", "crash after")
SHORT = "short write"
FAULTS = (*ERRORS, SHORT, *CRASHES)


class Crash(BaseException):
    """The process dies here: nothing that it calls later has any effect."""


@dataclass
class FaultyDisk:
    """What happens to calls below a folder, and a record of them."""

    folder: Path
    fault: str = ""  # one of FAULTS
    at: int = -1  # number of the call, from 0
    calls: list[str] = field(default_factory=list)
    record: list[tuple[Any, ...]] = field(default_factory=list)
    dead: bool = False
    inside: bool = False

    def covers(self, path: Any) -> bool:
        """Whether a call for this path is counted; what such a call calls itself is not."""
        known = isinstance(path, str | os.PathLike) and not self.inside
        return known and Path(path).is_relative_to(self.folder)

    @contextmanager
    def call(self, kind: str, path: Any) -> Iterator[bool]:
        """Count a call. Yield whether to do it; an error or a crash is raised before or after it."""
        if self.dead:
            yield False
            return
        fails = len(self.calls) == self.at
        self.calls.append(f"{kind} {Path(path).name}")
        if fails and self.fault in ERRORS:
            code = getattr(errno, self.fault)
            raise OSError(code, os.strerror(code), str(path))
        self.dead = fails and self.fault in CRASHES
        if self.dead and self.fault == "crash before":
            raise Crash
        self.inside = True
        try:
            yield True
        finally:
            self.inside = False
            if self.dead:
                raise Crash

    def note(self, *event: Any) -> None:
        if not self.dead or self.fault == "crash after":
            self.record.append(event)


class _File(io.FileIO):
    def __init__(self, faulty: FaultyDisk, path: Any, mode: str) -> None:
        self.faulty, self.path = faulty, str(path)
        super().__init__(path, mode)

    def write(self, content: Any) -> int:
        content = memoryview(content).cast("B")
        with self.faulty.call("write", self.path) as wanted:
            if not wanted:
                return len(content)
            if self.faulty.fault == SHORT and len(self.faulty.calls) - 1 == self.faulty.at:
                content = content[: max(1, len(content) // 2)]
            self.faulty.note("dirty", self.path)
            return super().write(content)

    def close(self) -> None:
        if self.closed:
            return
        try:
            with self.faulty.call("close", self.path):
                pass
        finally:
            super().close()


@contextmanager
def faulty_disk(folder: Path, fault: str = "", at: int = -1) -> Iterator[FaultyDisk]:
    """Count and record the calls of the block below `folder`; the call number `at` has the fault.

    In the block, this process has the number of one that has ended, so that its leftovers are those of a dead
    process. Nothing waits for the disk.
    """
    faulty = FaultyDisk(folder, fault, at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", _number_of_a_dead_process)
        patch.setattr(disk, "ThreadPoolExecutor", _NoThreads)  # for calls in the same order each time
        _patch_files(faulty, patch)
        _patch_names(faulty, patch)
        yield faulty


class _NoThreads:
    def __init__(self, number: int) -> None: ...

    def __enter__(self) -> "_NoThreads":
        return self

    def __exit__(self, *error: object) -> None: ...

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [function(item) for item in items]


@functools.cache
def _number_of_a_dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def _patch_files(faulty: FaultyDisk, patch: pytest.MonkeyPatch) -> None:
    real_open, real_os_open, real_close, real_fsync = io.open, os.open, os.close, os.fsync

    def open_(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
              newline: Any = None, *others: Any, **more: Any) -> Any:  # fmt: skip
        if not set(mode) & set("wxa+") or not faulty.covers(file):
            return real_open(file, mode, buffering, encoding, errors, newline, *others, **more)
        with contextlib.ExitStack() as stack:
            with faulty.call("open", file) as wanted:
                if not wanted:
                    raise Crash
                faulty.note("create", str(file))
                raw = _File(faulty, file, mode.replace("b", "").replace("t", ""))
                stack.callback(io.FileIO.close, raw)
            stack.pop_all()
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    opened: set[int] = set()

    def os_open(path: Any, flags: int, *others: Any, **more: Any) -> int:
        if not faulty.covers(path):
            return real_os_open(path, flags, *others, **more)
        with faulty.call("open", path) as wanted:
            if not wanted:
                raise Crash
            if flags & os.O_CREAT:
                faulty.note("create", str(path))
            opened.add(number := real_os_open(path, flags, *others, **more))
            return number

    def close(number: int) -> None:
        if number not in opened:
            return real_close(number)
        opened.remove(number)
        try:
            with faulty.call("close", _path_of(number)):
                pass
        finally:
            real_close(number)
        return None

    def fsync(number: Any) -> None:
        path = _path_of(number if isinstance(number, int) else number.fileno())
        if not faulty.covers(path):
            return real_fsync(number)
        with faulty.call("fsync", path) as wanted:
            if wanted:
                content = None if path.is_dir() else path.read_bytes()
                faulty.note("fsync", str(path), content)
        return None

    for module in (io, builtins):
        patch.setattr(module, "open", open_)
    patch.setattr(os, "open", os_open)
    patch.setattr(os, "close", close)
    patch.setattr(os, "fsync", fsync)


def _path_of(number: int) -> Path:
    return Path(f"/proc/self/fd/{number}").readlink()


def _patch_names(faulty: FaultyDisk, patch: pytest.MonkeyPatch) -> None:
    def wrap(module: Any, name: str, kind: str) -> None:
        real = getattr(module, name)

        def wrapper(path: Any, *others: Any, **more: Any) -> Any:
            if not faulty.covers(path) or more.get("dir_fd") is not None:
                return real(path, *others, **more)
            with faulty.call(name, path) as wanted:
                if wanted:
                    done = real(path, *others, **more)
                    if kind and done is not False:
                        faulty.note(kind, str(path), *map(str, others[:1]))
                    return done
                return None

        patch.setattr(module, name, wrapper)

    for name, kind in {
        "rename": "rename", "replace": "rename", "unlink": "remove", "rmdir": "remove", "mkdir": "mkdir",
        "chmod": "", "utime": "",
    }.items():  # fmt: skip
        wrap(os, name, kind)
    wrap(shutil, "rmtree", "remove")
    wrap(disk, "_rename_at_once", "exchange")


# ---- power cuts ------------------------------------------------------------------------------------


@dataclass
class _Inode:
    """A file or a folder: what the disk has of it, and what a reader sees."""

    is_folder: bool
    durable: Any  # content of a file, None = anything; or {name: inode}
    entries: dict[str, "_Inode"] = field(default_factory=dict)


Change = list[tuple[_Inode, str, _Inode | None]]
"""Entries of folders that one call sets (to an inode) or removes (None)."""


class _Model:
    """The disk after some calls: the changes of folders that are not synchronised yet are pending."""

    def __init__(self, folder: Path, before: dict[str, bytes]) -> None:
        self.folder = folder
        self.root = _Inode(is_folder=True, durable={})
        self.pending: list[Change] = []
        for name, content in before.items():
            here = self.root
            *folders, last = Path(name).parts
            for part in folders:
                here = here.entries.setdefault(part, _Inode(is_folder=True, durable={}))
            here.entries[last] = _Inode(is_folder=False, durable=content)
        _make_durable(self.root)

    def find(self, path: str) -> tuple[_Inode, str]:
        """The folder and the name of a path."""
        *folders, name = Path(path).relative_to(self.folder).parts or ("",)
        here = self.root
        for part in folders:
            here = here.entries[part]
        return here, name

    def inode(self, path: str) -> _Inode:
        folder, name = self.find(path)
        return folder.entries[name] if name else folder

    def change(self, *entries: tuple[tuple[_Inode, str], _Inode | None]) -> None:
        change = [(folder, name, inode) for (folder, name), inode in entries]
        for folder, name, inode in change:
            _set(folder.entries, name, inode)
        self.pending.append(change)

    def apply(self, event: tuple[Any, ...]) -> None:
        kind, path, *others = event
        place = self.find(path)
        if kind == "create" and place[1] not in place[0].entries:
            self.change((place, _Inode(is_folder=False, durable=None)))
        elif kind in ("create", "dirty"):
            self.inode(path).durable = None
        elif kind == "mkdir":
            self.change((place, _Inode(is_folder=True, durable={})))
        elif kind == "remove":
            self.change((place, None))
        elif kind == "rename":
            self.change((self.find(others[0]), self.inode(path)), (place, None))
        elif kind == "exchange":
            other = self.find(others[0])
            new, old = self.inode(path), other[0].entries.get(other[1])
            self.change((other, new), (place, old))
        elif kind == "fsync":
            inode = self.inode(path)
            if not inode.is_folder:
                inode.durable = others[0]
                return
            for change in [c for c in self.pending if any(folder is inode for folder, _, _ in c)]:
                self.pending.remove(change)
                for folder, name, target in change:
                    _set(folder.durable, name, target)


def _set(entries: dict[str, _Inode], name: str, inode: _Inode | None) -> None:
    if inode is None:
        entries.pop(name, None)
    else:
        entries[name] = inode


def _make_durable(folder: _Inode) -> None:
    folder.durable = dict(folder.entries)
    for inode in folder.entries.values():
        if inode.is_folder:
            _make_durable(inode)


def after_power_cut(
    faulty: FaultyDisk, before: dict[str, bytes], most: int = 40
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """(number of calls done, {name: content}) of the disks that a power cut can leave.

    What was not synchronised is lost, or there in part: changes of folders in any order, and files that are
    empty or full of zeros.

    Args:
        faulty: a disk on which the calls were done.
        before: the files before, which are safe.
        most: different disks after each call; of more, a random choice is taken.
    """
    chance = random.Random(0)
    for done in range(len(faulty.record) + 1):
        model = _Model(faulty.folder, before)
        for event in faulty.record[:done]:
            model.apply(event)
        places = range(len(model.pending))
        orders = [
            order for size in range(min(len(places), 3) + 1) for order in itertools.permutations(places, size)
        ] + [tuple(places)]
        for order in orders if len(orders) <= most else chance.sample(orders, most):
            for lost in (b"", bytes(20)):
                yield done, _found(model, [model.pending[place] for place in order], lost)


def _found(model: _Model, applied: list[Change], lost: bytes) -> dict[str, bytes]:
    """The files of a disk on which some of the pending changes were done."""
    changed: dict[int, dict[str, _Inode]] = {}
    for change in applied:
        for folder, name, inode in change:
            _set(changed.setdefault(id(folder), dict(folder.durable)), name, inode)

    def below(folder: _Inode, prefix: str) -> Iterator[tuple[str, bytes]]:
        for name, inode in changed.get(id(folder), folder.durable).items():
            if inode.is_folder:
                yield from below(inode, f"{prefix}{name}/")
            else:
                yield f"{prefix}{name}", lost if inode.durable is None else inode.durable

    return dict(below(model.root, ""))


def files_in(folder: Path) -> dict[str, bytes]:
    """{name: content} of all files in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def lay_out(folder: Path, files: dict[str, bytes]) -> None:
    """Make a folder hold exactly these files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
