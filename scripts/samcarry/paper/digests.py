"""digests.json: the content of each file of a paper's folder, line by line, so that a change can be named."""

import hashlib
import json
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from samcarry.storage.files import sha256, write_text

FILE = "digests.json"
FORMAT = 1
"""Of the folder. It rises when pages or tables of the same data would look different."""

_DIGITS = 6  # hexadecimal, of a line
_TEXTS = (".csv", ".html", ".json", ".md", ".svg", "Snakefile")


def files_of(folder: Path) -> dict[str, Path]:
    """{path in the folder: file} of all files, but digests.json."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    named = {path.relative_to(folder).as_posix(): path for path in found}
    return {name: path for name, path in named.items() if name != FILE}


def write_digests(folder: Path, version: str) -> str:
    """Write digests.json for the files of a folder; return its own digest, the fingerprint of the folder."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "samcarry": version,
        "files": {name: _digest(path) for name, path in files_of(folder).items()},
    }
    content["fingerprint"] = fingerprint(content)
    write_text(folder / FILE, json.dumps(content, indent=1) + "\n")
    return str(content["fingerprint"])


def fingerprint(content: dict[str, Any]) -> str:
    """The digest of the content of digests.json, without the fingerprint in it."""
    rest = {key: value for key, value in content.items() if key != "fingerprint"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def changes(name: str, path: Path, known: dict[str, str]) -> list[str]:
    """One line for each line of a file that was changed, added or removed since its digest was written.

    Args:
        name: its path in the folder.
        path: the file.
        known: its entry in digests.json.
    """
    if sha256(path) == known["sha256"]:
        return []
    if not known["lines"]:
        return [f"{name}: was changed since it was written"]
    data = path.read_bytes()
    if hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest() == known["sha256"]:
        return [f"{name}: has other line ends (CR LF) since it was written; copy it without converting them"]
    lines = data.decode("utf-8", "replace").split("\n")
    now, before = [_of_line(line) for line in lines], _split(known["lines"])
    found = []
    for kind, old, old_end, new, new_end in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind == "delete":
            found.append(f"{name}: {old_end - old} lines after line {new} were removed")
        elif kind != "equal":
            what = "was changed" if kind == "replace" else "was added"
            found += [
                f"{name}, line {place + 1}: {what} since it was written: {lines[place][:120]}"
                for place in range(new, new_end)
            ]
    return found or [f"{FILE}: its entry for {name} does not fit the file"]


def _digest(path: Path) -> dict[str, str]:
    text = path.read_bytes() if path.name.endswith(_TEXTS) else None
    lines = "" if text is None else "".join(map(_of_line, text.decode("utf-8", "replace").split("\n")))
    return {"sha256": sha256(path), "lines": lines}


def _of_line(line: str) -> str:
    return hashlib.sha256(line.encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def _split(digests: str) -> list[str]:
    return [digests[start : start + _DIGITS] for start in range(0, len(digests), _DIGITS)]
