"""States from which a stopped job goes on: files that begin with the SHA-256 of the rest.

A damaged state must not be used: a training would go on with other weights. Starting from scratch is always
right.
"""

import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from samcarry.errors import DamagedError
from samcarry.storage.files import atomic
from samcarry.storage.reading import reading

_SIZE = hashlib.sha256().digest_size


def write_state(path: str | Path, save: Callable[[BinaryIO], object]) -> None:
    """Write what `save` writes to a stream, with its SHA-256 before it, atomically."""
    stream = BytesIO()
    save(stream)
    with atomic(path) as private, private.open("wb") as file:
        file.write(hashlib.sha256(stream.getbuffer()).digest())
        file.write(stream.getbuffer())


def read_state(path: str | Path) -> BytesIO:
    """What `write_state` was given; it is checked before anything interprets it.

    Raises:
        DamagedError: the file is missing, is cut, or has changed since it was written.
        InputError: the operating system cannot read it.
    """
    with reading(path), Path(path).open("rb") as file:
        digest, content = file.read(_SIZE), file.read()
    if hashlib.sha256(content).digest() != digest:
        raise DamagedError(path, "its content has changed since it was written")
    return BytesIO(content)
