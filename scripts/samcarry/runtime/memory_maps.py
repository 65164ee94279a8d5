"""Memory-mapped arrays in files without a name, and their memory."""

import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray


def scratch_array(folder: Path, dtype: DTypeLike, shape: Sequence[int]) -> NDArray:
    """A memory-mapped array of zeros on the disk of a folder, which is created if necessary.

    Its file has no name: the system removes it when the process ends, even if it is killed.

    Raises:
        OSError: the disk has too little space.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size and hasattr(os, "posix_fallocate"):
            # Otherwise a full disk would show later, and kill the process instead of raising an error.
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "w+", shape=tuple(shape))


def release_pages(array: NDArray) -> None:
    """Release the resident pages of a memory-mapped array; other arrays are left unchanged.

    The next access reloads them from the page cache. Otherwise the memory of a process would grow with every
    page that it touches.
    """
    if isinstance(array.base, mmap.mmap):
        array.base.madvise(mmap.MADV_DONTNEED)
