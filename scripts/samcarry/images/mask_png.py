"""PNG files of masks, as fast as the little that a mask contains allows.

A general encoder tries several filters on each row and searches for repeated texts. A mask consists of runs,
and most of its rows are empty. Runs are all that is looked for here, and empty rows are compressed once.
"""

import struct
import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY_8_BITS = (8, 0, 0, 0, 0)  # depth, colour type, compression, filter, and no interlacing
_ZLIB_HEADER = b"\x78\x01"
_ADLER = 65521  # the modulus of Adler-32


def png_of(mask: NDArray[np.bool_]) -> bytes:
    """The content of an 8-bit grey PNG file with 0 and 255 for a mask (height, width)."""
    height, width = mask.shape
    rows = np.flatnonzero(mask.any(axis=1))
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (height, height)
    drawn = np.zeros((bottom - top, width + 1), dtype=np.uint8)  # each row begins with its filter, 0
    np.multiply(mask[top:bottom].view(np.uint8), 255, out=drawn[:, 1:])
    above, below = top * (width + 1), (height - bottom) * (width + 1)
    content = drawn.data
    stream = _ZLIB_HEADER + _zeros(above) + _runs(content) + _zeros(below) + _runs(b"", last=True)
    digest = _adler_of_zeros(zlib.adler32(content, _adler_of_zeros(1, above)), below)
    header = struct.pack(">IIBBBBB", width, height, *_GREY_8_BITS)
    parts = ((b"IHDR", header), (b"IDAT", stream + struct.pack(">I", digest)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _runs(content: memoryview | bytes, *, last: bool = False) -> bytes:
    """A part of a deflate stream that ends at a byte, so that another one can follow."""
    coder = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    return coder.compress(content) + coder.flush(zlib.Z_FINISH if last else zlib.Z_FULL_FLUSH)


def _zeros(count: int) -> bytes:
    """As `_runs`, of zeros."""
    return b"".join(_power_of_zeros(power) for power in range(count.bit_length()) if count >> power & 1)


@cache
def _power_of_zeros(power: int) -> bytes:
    return _runs(bytes(1 << power))


def _adler_of_zeros(digest: int, count: int) -> int:
    """The Adler-32 of a content that `count` zeros follow, from that of the content."""
    low, high = digest & 0xFFFF, digest >> 16
    return (high + low * count) % _ADLER << 16 | low
