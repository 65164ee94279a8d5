"""Memory of memory-mapped arrays."""

import mmap

from numpy.typing import NDArray


def release_pages(array: NDArray) -> None:
    """Release the resident pages of a memory-mapped array; other arrays are left unchanged.

    The next access reloads them from the page cache. Otherwise the memory of a process would grow with every
    page that it touches.
    """
    if isinstance(array.base, mmap.mmap):
        array.base.madvise(mmap.MADV_DONTNEED)
