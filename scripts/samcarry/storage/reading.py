"""Errors of the operating system while a file is read: they say nothing about its content."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samcarry.errors import DamagedError, InputError

_AGAIN = "run the same command again, and if that does not help, check the disk or the network"
_ROOM = "free some space there, and run the same command again"
_CURES = {
    errno.EACCES: "check the permissions of the file and its folders",
    errno.EPERM: "check the permissions of the file and its folders",
    errno.EIO: "the disk or the network reports a fault: check it before you run the same command again",
    errno.ESTALE: "the network file system has lost this file: run the same command again",
    errno.EMFILE: "raise the limit of open files (`ulimit -n 4096`), and run the same command again",
    errno.ENFILE: "this machine has too many open files: close programs, and run the same command again",
    errno.ENOMEM: "free memory, or use fewer --cores, and run the same command again",
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: "make the file system writable, and run the same command again",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path: a part of it is not a folder",
    errno.EISDIR: "check the path: it is a folder",
    errno.ENAMETOOLONG: "shorten the name",
    errno.EINVAL: "if the name has a sign such as : * ? or a dot at its end, this file system may refuse it: "
    "rename the file, or write to another file system",
    errno.ELOOP: "check the path: it has links that form a circle",
}


def system_fault(path: str | Path, error: OSError) -> InputError:
    """The one line of an error of the operating system: the file, the error, and what to do."""
    what = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
    return InputError(f"{path}: {what}; {_CURES.get(error.errno or 0, _AGAIN)}")


@contextmanager
def reading(path: str | Path, *, by_rule: bool = True) -> Iterator[None]:
    """Report errors of the operating system in the block as what they are, never as damage of `path`.

    Errors that libraries raise about the content, such as `gzip.BadGzipFile`, have no error number and pass.

    Args:
        path: the file that the block reads.
        by_rule: whether a rule of the workflow wrote the file, and so can make it again if it is missing.

    Raises:
        DamagedError: there is no such file, and a rule can make it.
        InputError: any other error of the operating system.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        if by_rule and isinstance(error, FileNotFoundError):
            raise DamagedError(path, "there is no such file") from error
        raise system_fault(path, error) from error


def read_user_text(path: Path) -> str:
    """The text of a file of the user, with or without a byte order mark.

    Raises:
        InputError: the operating system cannot read it, or it is not UTF-8.
    """
    try:
        with reading(path, by_rule=False):
            return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text ({error.reason}); save it as UTF-8") from None


@contextmanager
def reading_made(path: str | Path, fault: str, damage: tuple[type[Exception], ...]) -> Iterator[None]:
    """Report what goes wrong in a block that reads a file that a rule wrote.

    Args:
        path: the file.
        fault: what the message calls damaged content, such as 'this table is damaged'.
        damage: the exceptions that the content can raise; errors of the operating system are never damage.

    Raises:
        DamagedError: the file is missing, or its content raised one of `damage`.
        InputError: the operating system cannot read it.
    """
    try:
        with reading(path):
            yield
    except InputError:  # which is a ValueError
        raise
    except damage as error:
        # torch names each weight on a line of its own.
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise DamagedError(path, f"{fault} ({reason})") from error
