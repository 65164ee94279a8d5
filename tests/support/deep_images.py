"""PNG files of any bit depth, which Pillow cannot write."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # of so many channels


def write_png(path: Path, pixels: NDArray[np.integer], bits: int) -> Path:
    """Write values (height, width) or (height, width, channels) with 1 to 16 bits each as a PNG."""
    height, width = pixels.shape[:2]
    kind = _COLOUR_TYPES[1 if pixels.ndim == 2 else pixels.shape[2]]
    rows = pixels.reshape(height, -1).astype(">u2")
    unpacked = np.unpackbits(rows.view(np.uint8), axis=1).reshape(height, -1, 16)[..., 16 - bits :]
    packed = np.packbits(unpacked.reshape(height, -1), axis=1)
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))),
        (b"IEND", b""),
    ):
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    path.write_bytes(content)
    return path
