"""Checking the folder of a paper alone: numbers are recomputed, and files compared with their digests."""

import csv
import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Any

from samcarry import __version__
from samcarry.errors import InputError
from samcarry.paper import digests
from samcarry.paper.document import Line
from samcarry.paper.folder import SOURCES, write_pages
from samcarry.paper.recompute import derive

_TOKENS = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|[^\d]+?(?=[-+]?\d|$)", re.DOTALL)
_CLOSE = 2e-5
"""Tables have six significant digits, of which another machine may round the last one differently."""


@dataclass(frozen=True)
class Verdict:
    """What was found: numbers recomputed, unchanged files, the folder's fingerprint, one line per fault."""

    numbers: int
    files: int
    fingerprint: str
    faults: Sequence[str]

    @property
    def summary(self) -> str:
        """The last line of the output."""
        if self.faults:
            return f"{len(self.faults)} fault{'' if len(self.faults) == 1 else 's'}"
        return f"{self.numbers} numbers recomputed, {self.files} files unchanged"


def verify(folder: Path) -> Verdict:
    """Recompute the numbers and compare the files of a folder that `write_paper` wrote.

    Raises:
        InputError: it is not such a folder, or another version wrote it.
    """
    known = _read_digests(folder)
    files, listed = digests.files_of(folder), known["files"]
    faults = []
    if known.get("fingerprint") != digests.fingerprint(known):
        faults.append(f"{digests.FILE}: was changed since it was written")
    faults += [f"{name}: is missing" for name in listed if name not in files]
    faults += [f"{name}: was added; the run did not write it" for name in files if name not in listed]
    changed = {
        name: found
        for name in listed
        if name in files and (found := digests.changes(name, files[name], listed[name]))
    }
    missing_data = [name for name in listed if name not in files and name.startswith("data/")]
    recomputed: dict[str, list[str]] = {}
    numbers = 0
    if not missing_data:
        with tempfile.TemporaryDirectory() as temporary:
            try:
                recomputed, numbers = _recompute(folder, files, Path(temporary))
            except (InputError, KeyError, ValueError, IndexError, TypeError) as error:
                faults.append(f"data/: numbers cannot be recomputed ({' '.join(str(error).split())})")
    given = [name for name in changed if name not in recomputed]
    for name in given:
        faults += changed[name]
    of_data = any(name.startswith("data/") for name in given)
    followers = 0
    for name, found in recomputed.items():
        if found and of_data and not changed.get(name):
            followers += len(found)  # consequences of the change in the data, which is named above
        else:
            faults += found or changed.get(name, [])
    if followers:
        faults.append(f"{followers} lines of tables and pages do not follow from the changed data any more")
    return Verdict(numbers, len(listed), str(known.get("fingerprint", "")), faults)


def _read_digests(folder: Path) -> dict[str, Any]:
    path = folder / digests.FILE
    if not path.is_file():
        raise InputError(
            f"{folder}: has no {digests.FILE}; name the folder that the target paper/index.html wrote"
        )
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        form, version = known["format"], known["samcarry"]
        entries = [(entry["sha256"], entry["lines"]) for entry in known["files"].values()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is damaged ({error}); take it from the original folder") from None
    if form != digests.FORMAT or version != __version__ or not entries:
        raise InputError(
            f"{folder}: was written by samcarry {version} (format {form}), and this is samcarry "
            f"{__version__} (format {digests.FORMAT}); verify it with the version that wrote it"
        )
    return known


def _recompute(folder: Path, files: dict[str, Path], fresh: Path) -> tuple[dict[str, list[str]], int]:
    """{derived file: faults}, and the number of recomputed numbers on the pages."""
    shutil.copytree(folder / "data", fresh / "data")
    found = {}
    for name in derive(fresh):
        found[name] = _compare_tables(name, files.get(name), fresh / name)
        if not found[name] and name in files:
            shutil.copyfile(
                files[name], fresh / name
            )  # equal but for rounding: pages were made from these digits
    made = write_pages(fresh)
    for name, lines in made.items():
        if name in files:
            found[name] = list(_compare_pages(name, files[name], lines))
    if SOURCES in files:
        found[SOURCES] = _compare_tables(SOURCES, files[SOURCES], fresh / SOURCES)
    return found, sum(
        len(line.numbers) for name, lines in made.items() if name.endswith(".md") for line in lines
    )


def _compare_tables(name: str, path: Path | None, expected: Path) -> list[str]:
    """One line for each cell that differs by more than rounding."""
    if path is None:
        return []
    now, wanted = (_rows(file) for file in (path, expected))
    if not now or now[0] != wanted[0] or len(now) != len(wanted):
        return [f"{name}: has other rows or columns than follow from the data"]
    head = wanted[0]
    found = []
    for place, (row, right) in enumerate(zip(now[1:], wanted[1:], strict=True), start=2):
        for column, cell, value in zip_longest(head, row, right):
            if not _equal(cell, value):
                found.append(
                    f"{name}, line {place} ({', '.join(right[:3])}), column {column}: says {cell}; "
                    f"recomputed: {value}"
                )
    return found


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        return list(csv.reader(stream))


def _equal(cell: str | None, value: str | None) -> bool:
    if cell == value:
        return True
    try:
        return math.isclose(float(cell or "nan"), float(value or "nan"), rel_tol=_CLOSE, abs_tol=1e-9)
    except ValueError:
        return False


def _compare_pages(name: str, path: Path, lines: Sequence[Line]) -> Iterator[str]:
    """One line for each line of a page that differs from what follows from the data."""
    now = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")
    wanted = [line.text for line in lines]
    for kind, old, old_end, new, new_end in SequenceMatcher(None, wanted, now, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        pairs = zip_longest(lines[old:old_end], range(new, new_end))
        for line, place in pairs:
            if place is None:
                yield f"{name} ({line.place}): is missing: {_short(line.text)}"
            elif line is None:
                yield f"{name}, line {place + 1}: was added: {_short(now[place])}"
            else:
                yield f"{name}, line {place + 1} ({line.place or 'markup'}): {_difference(line, now[place])}"


def _difference(line: Line, now: str) -> str:
    """What a line says instead of what follows from the data."""
    wanted = _TOKENS.findall(line.text)
    found = _TOKENS.findall(now)
    if len(wanted) == len(found):
        differing = [
            place for place, pair in enumerate(zip(wanted, found, strict=True)) if pair[0] != pair[1]
        ]
        if differing and all(any(c.isdigit() for c in wanted[place]) for place in differing):
            place = differing[0]
            source = _source(line, wanted, place)
            return f'"{_short(_plain(now))}" says {found[place]}; recomputed: {wanted[place]}' + (
                f" ({source})" if source else ""
            )
    return f'says "{_short(_plain(now))}" instead of "{_short(_plain(line.text))}"'


def _source(line: Line, wanted: Sequence[str], place: int) -> str:
    """The source of the number at a place in a line's tokens."""
    same = [number for number in line.numbers if wanted[place].lstrip("+-") in number.text]
    if not same:
        return ""
    earlier = sum(token == wanted[place] for token in wanted[:place])
    return same[min(earlier, len(same) - 1)].source


def _plain(text: str) -> str:
    """A line without markup and columns that line up."""
    return " ".join(re.sub(r"<[^>]*>", "", text).split())


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:150]} … {text[-40:]}"
