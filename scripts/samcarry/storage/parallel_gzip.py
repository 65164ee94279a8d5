"""Gzip by several threads: one stream, whose blocks are packed apart, as pigz does it.

The bytes depend on the content alone: files that are made again have to be the same. (ISA-L, which packs
faster, gave other bytes once in some hundred files.)
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
_HEADER = struct.pack("<BBBBIBB", 0x1F, 0x8B, 8, 0, 0, 0, 0xFF)  # gzip, deflate; no name, no time, no system
_END = b"\x03\x00"  # an empty last block


class _Stream(io.RawIOBase):
    """What nibabel needs of a file that is written from its start to its end."""

    def __init__(self, file: IO[bytes], pool: ThreadPoolExecutor, ahead: int) -> None:
        self.file, self.pool, self.ahead = file, pool, ahead
        self.place, self.digest = 0, 0
        self.block = bytearray()
        self.coming: deque[Future[bytes]] = deque()
        file.write(_HEADER)

    def tell(self) -> int:
        return self.place

    def seek(self, place: int, _whence: int = 0) -> int:
        """Go on to a place; there are zeros up to it."""
        self.write(bytes(place - self.place))
        return place

    def write(self, content: Any) -> int:
        self.place += len(content)
        self.digest = zlib.crc32(content, self.digest)
        self.block += content
        while len(self.block) >= BLOCK:
            self._pack()
        return len(content)

    def finish(self) -> None:
        """Write what is left, and gzip's end: digest and size."""
        self._pack()
        while self.coming:
            self.file.write(self.coming.popleft().result())
        self.file.write(_END + struct.pack("<II", self.digest, self.place & 0xFFFFFFFF))

    def _pack(self) -> None:
        self.coming.append(self.pool.submit(_packed, bytes(self.block[:BLOCK])))
        del self.block[:BLOCK]
        if len(self.coming) > self.ahead:
            self.file.write(self.coming.popleft().result())


@contextmanager
def packing(file: IO[bytes], threads: int) -> Iterator[io.RawIOBase]:
    """A stream for content whose gzip goes to `file`; complete when the context ends without an error."""
    with ThreadPoolExecutor(threads) as pool:
        stream = _Stream(file, pool, 2 * threads)
        yield stream
        stream.finish()


def _packed(block: bytes) -> bytes:
    # Masks and maps repeat along rows or not at all: to look for more takes longer and finds less.
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=zlib.Z_RLE)
    return packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH)
