"""Gzip compression in several threads.

As in pigz, the blocks of one stream are compressed independently. The bytes depend only on the content,
because a repeated run must write identical files.

This is own code because compression takes most of the time of a prediction, and `gzip.GzipFile` uses one
thread. Measured: 8 ms per image in one thread, 1 ms in eight. ISA-L is faster still, but about once in some
hundred files it wrote different bytes for the same content.
"""

import io
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, Any

BLOCK = 1 << 20
_HEADER = struct.pack("<BBBBIBB", 0x1F, 0x8B, 8, 0, 0, 0, 0xFF)  # gzip, deflate; no name, time or system
_END = b"\x03\x00"  # an empty last block


class _Stream(io.RawIOBase):
    """A writable stream with the methods that nibabel uses to write a file from start to end."""

    def __init__(self, file: IO[bytes], pool: ThreadPoolExecutor, max_pending: int) -> None:
        self.file, self.pool, self.max_pending = file, pool, max_pending
        self.position, self.crc = 0, 0
        self.block = bytearray()
        self.pending: deque[Future[bytes]] = deque()
        file.write(_HEADER)

    def tell(self) -> int:
        return self.position

    def seek(self, position: int, _whence: int = 0) -> int:
        """Move forward to a position, filling the gap with zeros."""
        self.write(bytes(position - self.position))
        return position

    def write(self, content: Any) -> int:
        self.position += len(content)
        self.crc = zlib.crc32(content, self.crc)
        self.block += content
        while len(self.block) >= BLOCK:
            self._submit()
        return len(content)

    def finish(self) -> None:
        """Write the remaining blocks and gzip's trailer, checksum and size."""
        self._submit()
        while self.pending:
            self.file.write(self.pending.popleft().result())
        self.file.write(_END + struct.pack("<II", self.crc, self.position & 0xFFFFFFFF))

    def _submit(self) -> None:
        self.pending.append(self.pool.submit(_compress, bytes(self.block[:BLOCK])))
        del self.block[:BLOCK]
        if len(self.pending) > self.max_pending:
            self.file.write(self.pending.popleft().result())


@contextmanager
def gzip_writer(file: IO[bytes], threads: int) -> Iterator[io.RawIOBase]:
    """Yield a stream that writes its content to `file` as gzip; `file` is complete after the block."""
    with ThreadPoolExecutor(threads) as pool:
        stream = _Stream(file, pool, 2 * threads)
        yield stream
        stream.finish()


def _compress(block: bytes) -> bytes:
    # Masks and probability maps repeat along rows or not at all: a wider search is slower and finds less.
    compressor = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=zlib.Z_RLE)
    return compressor.compress(block) + compressor.flush(zlib.Z_SYNC_FLUSH)
