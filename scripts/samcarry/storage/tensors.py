"""Headers of safetensors files, read with the standard library, and files of tensors that are written whole.

`safetensors.safe_open` calls every fault of the system a missing file, and maps the file into memory, where a
fault of the disk kills the process. `save_file` ignores errors when it closes the file.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MOST_BYTES = 100_000_000  # as in safetensors


@dataclass(frozen=True)
class TensorHeader:
    """What the beginning of a safetensors file says.

    Attributes:
        metadata: texts by name.
        places: {tensor: (data type such as 'F16', shape, first byte, byte after the last)}, in the file.
    """

    metadata: dict[str, str]
    places: dict[str, tuple[str, tuple[int, ...], int, int]]


def read_tensor_header(stream: BinaryIO) -> TensorHeader:
    """The header at the beginning of an open safetensors file.

    Raises:
        ValueError, KeyError, TypeError: it is not a header.
    """
    size = int.from_bytes(stream.read(8), "little")
    if size > _MOST_BYTES:
        raise ValueError("its header is too long")
    header = json.loads(stream.read(size))
    metadata = header.pop("__metadata__", {})
    places = {
        name: (about["dtype"], tuple(about["shape"]), *(8 + size + end for end in about["data_offsets"]))
        for name, about in header.items()
    }
    return TensorHeader(metadata, places)


def read_tensor_metadata(path: str | Path) -> dict[str, str]:
    """The metadata of a safetensors file; errors are those of `read_tensor_header` and of the system."""
    with Path(path).open("rb") as stream:
        return read_tensor_header(stream).metadata


def with_sorted_metadata(content: bytes) -> bytes:
    """The content of a safetensors file with its metadata in the order of their names.

    safetensors writes several entries in an order that changes from run to run, so equal models had
    different bytes.
    """
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    ordered = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **header}
    text = json.dumps(ordered, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors stay aligned
    return len(text).to_bytes(8, "little") + text + content[8 + size :]
