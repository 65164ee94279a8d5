"""Texts and JSON that rules write and other rules read."""

import json
from pathlib import Path
from typing import Any

from samcarry.storage.reading import reading_made


def read_text(path: str | Path) -> str:
    """The text of a file that a rule wrote.

    Raises:
        DamagedError: the file is missing or is not UTF-8.
        InputError: the operating system cannot read it.
    """
    with reading_made(path, "this text is damaged", (UnicodeDecodeError,)):
        return Path(path).read_text(encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """The content of a JSON file that a rule wrote.

    Raises:
        DamagedError: the file is missing or is not JSON.
        InputError: the operating system cannot read it.
    """
    with reading_made(path, "this JSON file is damaged", (ValueError,)):
        return json.loads(Path(path).read_text(encoding="utf-8"))
