"""Checking the folder of a paper alone: numbers are recomputed, and files compared with their digests."""

import csv
import json
import math
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Any

from samcarry import __version__
from samcarry.errors import InputError
from samcarry.paper import digests
from samcarry.paper.crate import METADATA, RUN
from samcarry.paper.document import Line
from samcarry.paper.folder import SOURCES, crate_of, given_files, write_pages
from samcarry.paper.recompute import derive

_TOKENS = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|[^\d]+?(?=[-+]?\d|$)", re.DOTALL)
_CLOSE = 2e-5
"""Tables have six significant digits, of which another machine may round the last one differently."""

_SHOWN = 20
"""Faults of one file that are listed; the others are counted."""

_LONGEST = 200
"""Characters of a line that are shown."""


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
    listed = known["files"]
    there = digests.files_of(folder)
    files = {name: path for name, path in there.items() if path.is_file()}  # no dead links
    faults = []
    if _was_changed(known):
        faults.append(f"{digests.FILE}: was changed since it was written")
    faults += [f"{name}: is missing" for name in listed if name not in files]
    faults += [f"{name}: was added; the run did not write it" for name in there if name not in listed]
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
                recomputed, numbers = _recompute(files, Path(temporary))
                faults += _compare_names(set(listed), files, given_files(Path(temporary)) | set(recomputed))
            # Changed data fail in as many ways as there are functions that read them.
            except Exception as error:
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                faults.append(f"data/: numbers cannot be recomputed ({_short(reason)})")
    given = [name for name in changed if name not in recomputed]
    for name in given:
        faults += _first(name, changed[name])
    of_data = any(name.startswith("data/") for name in given)
    followers = 0
    for name, found in recomputed.items():
        if found and of_data and not changed.get(name):
            followers += len(found)  # consequences of the change in the data, which is named above
        else:
            faults += _first(name, found or changed.get(name, []))
    if followers:
        faults.append(f"{followers} lines of tables and pages do not follow from the changed data any more")
    if not faults:
        # Any change of another file changes its size in the crate too, so the crate is compared last.
        faults += _first(METADATA, list(_compare_crate(folder, files[METADATA])))
    return Verdict(numbers, len(listed), str(known.get("fingerprint", "")), faults)


def _was_changed(known: dict[str, Any]) -> bool:
    """Whether the content of digests.json does not fit its fingerprint."""
    return known.get("fingerprint") != digests.fingerprint(known)


def _first(name: str, found: Sequence[str]) -> list[str]:
    """The first faults of a file, and how many more there are."""
    more = len(found) - _SHOWN
    return [*found[:_SHOWN], *([f"{name}: {more} more lines differ"] if more > 0 else [])]


def _read_digests(folder: Path) -> dict[str, Any]:
    path = folder / digests.FILE
    if not path.is_file():
        raise InputError(
            f"{folder}: has no {digests.FILE}; name the folder that the target paper/index.html wrote"
        )
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        form, version = known["format"], known["samcarry"]
        entries = [entry[part] for entry in known["files"].values() for part in ("sha256", "lines")]
        if not all(isinstance(entry, str) for entry in entries):
            raise ValueError("a digest is not a text")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is damaged ({error}); take it from the original folder") from None
    if form != digests.FORMAT or version != __version__ or not entries:
        writer = _short(f"{version} (format {form})")
        raise InputError(
            f"{folder}: was written by samcarry {writer}, and this is samcarry "
            f"{__version__} (format {digests.FORMAT}); verify it with the version that wrote it"
            + (f" (and {digests.FILE} was changed since it was written)" if _was_changed(known) else "")
        )
    return known


def _recompute(files: dict[str, Path], fresh: Path) -> tuple[dict[str, list[str]], int]:
    """{derived file: faults}, and the number of recomputed numbers on the pages."""
    for name, path in files.items():
        if name.startswith("data/"):
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, fresh / name)
    found = {}
    for name in derive(fresh):
        found[name] = _compare_tables(name, files.get(name), fresh / name)
        if not found[name] and name in files:
            shutil.copyfile(
                files[name], fresh / name
            )  # equal but for rounding: pages were made from these digits
    made = write_pages(fresh)
    for name, lines in made.items():
        found[name] = list(_compare_pages(name, files[name], lines)) if name in files else []
    found[SOURCES] = _compare_tables(SOURCES, files.get(SOURCES), fresh / SOURCES)
    return found, sum(
        len(line.numbers) for name, lines in made.items() if name.endswith(".md") for line in lines
    )


def _compare_names(listed: set[str], files: Collection[str], written: set[str]) -> list[str]:
    """One line for each file that digests.json has too many or too few, compared with what a run writes."""
    added = [f"{name}: was added; the run did not write it" for name in sorted(listed - written)]
    return added + [f"{name}: is missing" for name in sorted(written - listed) if name not in files]


def _compare_crate(folder: Path, path: Path) -> Iterator[str]:
    """One line for each line of the crate that does not describe the files of the folder."""
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))["@graph"]
        (ended,) = [entity["endTime"] for entity in graph if entity["@id"] == RUN]
    except (ValueError, KeyError, TypeError) as error:
        yield f"{METADATA}: is damaged ({error})"
        return
    yield from _compare_pages(METADATA, path, [Line(text) for text in crate_of(folder, ended).splitlines()])


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
        try:
            return list(csv.reader(stream))
        except csv.Error:  # a quotation mark that nothing closes makes one cell of the rest of the file
            return []


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
            numbers = [
                f"{found[place]}; recomputed: {wanted[place]}{_source(line, wanted, place)}"
                for place in differing
            ]
            # HTML has each number twice, in the text and as a value.
            said = " and says ".join(dict.fromkeys(numbers))
            return f'"{_short(_plain(now), _plain(line.text))}" says {said}'
    plain = _plain(now), _plain(line.text)
    return f'says "{_short(*plain)}" instead of "{_short(*reversed(plain))}"'


def _source(line: Line, wanted: Sequence[str], place: int) -> str:
    """The source of the number at a place in a line's tokens, in brackets; '' if it is not known."""
    same = [number for number in line.numbers if wanted[place].lstrip("+-") in number.text]
    if not same:
        return ""
    earlier = sum(token == wanted[place] for token in wanted[:place])
    return f" ({same[min(earlier, len(same) - 1)].source})"


def _plain(text: str) -> str:
    """A line without markup and columns that line up."""
    return " ".join(re.sub(r"<[^>]*>", "", text).split())


def _short(text: str, other: str = "") -> str:
    """A text in one line; of a long one, the part around the first place that differs from another text."""
    text, other = " ".join(text.split()), " ".join(other.split())
    differing = next(
        (place for place, pair in enumerate(zip(text, other, strict=False)) if len({*pair}) > 1), 0
    )
    start = max(0, min(differing - _LONGEST // 2, len(text) - _LONGEST))
    shown = text[start : start + _LONGEST]
    return ("… " if start else "") + shown + (" …" if start + _LONGEST < len(text) else "")
