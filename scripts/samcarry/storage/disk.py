"""What a file system has to do for files to survive a crash, a power cut and a second process.

All other modules write files by way of `files.atomic`, which uses these functions.
"""

import contextlib
import ctypes
import errno
import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import stat
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from samcarry.storage.runs import check_run

if sys.platform == "linux":
    import fcntl

_EXCHANGE, _NO_REPLACE = 2, 1  # flags of Linux's renameat2
_HERE = -100  # AT_FDCWD: names are relative to the working directory
_CLONE = 0x40049409  # FICLONE
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_PRIVATE = re.compile(r"\.(?P<machine>[0-9a-f]{8})-(?P<process>[0-9a-f]+)-(?P<start>[0-9a-f]+)-[0-9a-f]{6}\.")
_KEPT_BYTES = 200
_DAY = 86400.0


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents so that they survive a power cut."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until the content of a file, or the entries of a folder, are on the disk.

    Raises:
        OSError: the disk reports a fault, also one that an earlier writer of the file has ignored.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot synchronise a folder; they have no better promise to give.
        if error.errno not in _UNSUPPORTED or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """`sync` a file, or a folder with everything in it; links are part of their folder."""
    if path.is_symlink():
        return
    if not path.is_dir():
        return sync(path)
    entries = [entry for entry in sorted(path.rglob("*")) if not entry.is_symlink()]
    folders = [path, *(entry for entry in entries if entry.is_dir())]
    files = [entry for entry in entries if not entry.is_dir()]
    # A file system writes what several threads wait for in one go: measured, 0.3 instead of 6 ms a file.
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(sync, files))
    for folder in folders:
        sync(folder)


def give_usual_mode(path: Path) -> None:
    """Give a file that only its owner may read the mode that the umask asks for.

    The mode is that of a new file: reading the umask would set it for the whole process for a moment.
    """
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return
    probe = path.with_name(f"{path.name[:100]}.mode")
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
        probe.unlink()
    path.chmod(mode)


def put(private: Path, path: Path, *, replace: bool) -> None:
    """Give a file or folder the name `path`; a reader finds the old or the new one, never a mixture.

    A folder that is replaced is exchanged in one step and then removed. File systems without this step (NFS,
    and all outside Linux) need two: for a moment there is no `path`, and the old folder is hidden beside it.

    Args:
        private: what gets the name; in the same folder as `path`.
        path: the name.
        replace: whether an existing file or folder may be replaced.

    Raises:
        FileExistsError: `path` exists, and `replace` is False.
        InputError: this is a job, and a newer run of its data set has started.
        OSError: any other fault; `path` then is as before.
    """
    check_run(path)
    if not replace:
        _rename_if_free(private, path)
    elif private.is_dir() and path.is_dir():
        if not _rename_at_once(private, path, _EXCHANGE):
            aside = private.with_name(f"{private.name}.old")
            path.rename(aside)
            try:
                private.rename(path)
            except BaseException:
                aside.rename(path)
                raise
            remove(aside)
    else:
        private.replace(path)


def _rename_if_free(private: Path, path: Path) -> None:
    if _rename_at_once(private, path, _NO_REPLACE):
        return
    if not private.is_dir():
        path.hardlink_to(private)  # fails if `path` exists
        private.unlink()
    elif path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    else:
        private.rename(path)  # fails if another process has filled `path` meanwhile


def _rename_at_once(private: Path, path: Path, flag: int) -> bool:
    """Call Linux's renameat2; False if the system or the file system does not have it."""
    call = getattr(_libc(), "renameat2", None)
    if call is None:
        return False
    if call(_HERE, os.fsencode(private), _HERE, os.fsencode(path), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(path))


@functools.cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None


def copy(source: Path, target: Path) -> None:
    """Copy a file with its times; where the file system can, the two share their blocks until one changes."""
    with source.open("rb") as old, target.open("xb") as new:
        if not _share_blocks(old.fileno(), new.fileno()):
            shutil.copyfileobj(old, new, 1 << 20)
    status = source.stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _share_blocks(old: int, new: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(new, _CLONE, old)
    except OSError:
        return False  # another file system, or one without shared blocks: a copy reports any real fault
    return True


def remove(path: Path) -> None:
    """Remove a file or folder as far as possible; what remains is removed by a later `clear_leftovers`."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


# ---- private names, and what killed processes left under them --------------------------------------


def private_name(path: Path) -> Path:
    """A hidden name beside `path`, unique to this call; it says which process writes there.

    It keeps the end of the name with its suffixes, by which writers choose the format.
    """
    start = _start_of(os.getpid()) or 0
    writer = f"{_machine()}-{os.getpid():x}-{start:x}-{secrets.token_hex(3)}"
    end = os.fsencode(path.name)[-_KEPT_BYTES:].decode(errors="ignore")
    return path.with_name(f".{writer}.{end}")


def is_private(path: Path) -> bool:
    """Whether a path leads through a private name: it is in a folder that is not finished."""
    return any(_PRIVATE.match(part) for part in path.parts)


def clear_leftovers(folder: Path) -> list[Path]:
    """Remove files and folders with private names whose writer is dead; return what was removed.

    A writer of this machine is dead if there is no such process. One of another machine, or from before a
    restart, counts as dead if it has written nothing for a day.
    """
    removed = []
    for entry in _entries(folder):
        if (match := _PRIVATE.match(entry.name)) and _is_dead(match, entry):
            remove(entry)
            removed.append(entry)
    return removed


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # it does not exist yet, or cannot be read, which its writer will report
        return []


def _is_dead(match: re.Match[str], path: Path) -> bool:
    if match["machine"] == _machine():
        process = int(match["process"], 16)
        start = _start_of(process)
        return start is None or start != int(match["start"], 16)
    try:
        times = [path.lstat().st_mtime, *(entry.lstat().st_mtime for entry in path.rglob("*"))]
    except OSError:  # it is being written
        return False
    return time.time() - max(times) > _DAY


def _start_of(process: int) -> int | None:
    """When a process of this machine started, in ticks since the machine did; None if there is none."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[19])
    except FileNotFoundError:
        if sys.platform == "linux":
            return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return 0


@functools.cache
def _machine() -> str:
    """Eight digits for this start of this machine, or container: process numbers mean nothing elsewhere."""
    identity = [socket.gethostname()]
    with contextlib.suppress(OSError):
        identity.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        identity.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()[:8]
