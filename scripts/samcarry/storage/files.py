"""Atomic writing of files and folders, and digests of their content."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samcarry.storage import disk


@contextmanager
def atomic(path: str | Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary name next to `path`; rename it to `path` if the block ends without an error.

    A reader thus finds a complete file or none, also after a power cut: the content is on the disk before it
    gets its name. The temporary name is unique to this call, so that a worker that outlives its killed main
    process cannot spoil the output of its successor. It keeps the suffixes of `path`, since writers choose
    the format by them. The block may write a file or a folder; see `disk.put` for how one replaces another.

    Args:
        path: the file or folder.
        replace: whether an existing file or folder may be replaced.

    Raises:
        FileExistsError: `path` exists when the block ends, and `replace` is False.
        OSError: the system cannot write, synchronise or rename; `path` then is as before.
    """
    path = Path(path)
    disk.make_folder(path.parent)
    private = disk.private_name(path)
    try:
        yield private
        if private.is_file():  # some writers leave files that only their owner can read
            disk.give_usual_mode(private)
        if disk.is_private(path):  # in a folder that is written atomically, and then synchronised in one go
            disk.put(private, path, replace=replace)
            return
        disk.sync_tree(private)
        disk.put(private, path, replace=replace)
        disk.sync(path.parent)
    finally:
        disk.remove(private)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic(path) as private:
        private.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's content as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
