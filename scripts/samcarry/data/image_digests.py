"""Digests that identify the user's image files, from the input checks to every rule that reads an image."""

from pathlib import Path

from samcarry.errors import InputError
from samcarry.storage.files import sha256
from samcarry.storage.reading import reading


def image_digest(path: str | Path) -> str:
    """A digest of an image file, 16 hexadecimal digits."""
    return sha256(path)[:16]


def check_image(path: str | Path, digest: str) -> None:
    """Check that an image is the one that the input checks have read.

    Raises:
        InputError: its digest is another one, or it cannot be read.
    """
    with reading(path, by_rule=False):
        found = image_digest(path)
    if found != digest:
        raise InputError(
            f"{path}: this image is not the one that the input checks read; run again, with "
            "`--forcerun list_cases` if this message remains"
        )
