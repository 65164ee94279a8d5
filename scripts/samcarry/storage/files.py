"""Atomic writing of files and folders, and digests of their content."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name next to `path`; rename it to `path` if the block ends without an error.

    A reader thus finds a complete file or none. The temporary name is unique to this call, so that a worker
    that outlives its killed main process cannot spoil the output of its successor. It keeps the suffixes of
    `path`, since writers choose the format by them. The block may write a file or a folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    private = path.with_name(f".{uuid.uuid4().hex[:12]}.{path.name}")
    try:
        yield private
        if private.is_file():  # safetensors leaves files that only their owner can read
            private.chmod(0o666 & ~_umask())
        if private.is_dir() and path.is_dir():
            shutil.rmtree(path)
        private.replace(path)
    finally:
        if private.is_dir():
            shutil.rmtree(private, ignore_errors=True)
        else:
            private.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic(path) as private:
        private.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's content as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
