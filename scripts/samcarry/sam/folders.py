"""The files of a model folder; apart from their reading, because the Snakefile may not import torch."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from samcarry.storage.files import sha256

CONFIG = "config.json"
"""The file that stands for a model folder wherever one file is expected."""


def is_folder(path: str | Path) -> bool:
    """Whether a path is a model folder, or the `config.json` that stands for it."""
    return Path(path).name == CONFIG or Path(path).is_dir()


def folder_of(path: str | Path) -> Path:
    """The model folder of such a path."""
    return Path(path).parent if Path(path).name == CONFIG else Path(path)


def files_of(folder: str | Path) -> list[Path]:
    """The files that a model is loaded from: config.json, the weights and their index."""
    return [Path(folder) / CONFIG, *sorted(Path(folder).glob("*.safetensors*"))]


def digest_of_sums(sums: Mapping[str, str]) -> str:
    """The SHA-256 of what `sha256sum` prints about files: {name: SHA-256}."""
    lines = (f"{digest}  {name}\n" for name, digest in sums.items())
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def digest_of_checkpoint(path: str | Path) -> str:
    """The SHA-256 of a checkpoint; for a folder, that of the list which `sha256sum` prints of its files."""
    if not is_folder(path):
        return sha256(path)
    return digest_of_sums({file.name: sha256(file) for file in files_of(folder_of(path))})
