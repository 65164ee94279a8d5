"""Reader of one PNG a class, in whatever folders: a pattern tells case and class of each file's path."""

import functools
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from samcarry.data.contract import pattern_root
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.formats.run_lengths import runs_of
from samcarry.formats.shapes import Annotation, Choose, Shape, as_it_is
from samcarry.images.masks import read_mask, write_mask

log = logging.getLogger(__name__)
_LOSSY = (".jpg", ".jpeg")


@dataclass(frozen=True)
class _Case:
    """What was found of a case: its masks, and the file and size of the first."""

    shapes: list[Shape]
    first: Path
    size: tuple[int, int]


def read_class_pngs(
    pattern: str | Path, choose: Choose = as_it_is, *, cases: Collection[str] = ()
) -> list[Annotation]:
    """Read the masks of all files that fit a pattern.

    A mask is read as `masks.read_mask` does: black is "not this class", anything else is. An image of
    which no class is present needs a black mask to count as annotated.

    Args:
        pattern: a path with {case} and {class}, as masks/{case}/{class}.png or {case}_{class}.png;
            `*` stands for any text without a slash.
        choose: names the class of a {class}, None to pass over its files.
        cases: the names that {case} may stand for; of a_b_c.png they tell whether it is class c of
            a_b or class b_c of a.

    Returns:
        An annotation for each case.

    Raises:
        InputError: a line for each fault: a pattern that lacks a part or fits no file, a file that can
            be read in two ways, is no PNG, or differs in size from the first of its case.
    """
    pattern = Path(pattern)
    faults: list[str] = []
    found: dict[str, _Case] = {}
    for file in find_class_pngs(pattern, faults):
        try:
            case, name = _parts(file, pattern, cases)
            class_name = choose(name)
        except InputError as error:
            faults.append(f"{file}: {error}")
            continue
        try:
            _add(found, case, class_name, file)
        except InputError as error:
            faults += str(error).splitlines()
    raise_faults(faults)
    return [Annotation(pattern, case, known.size, tuple(known.shapes)) for case, known in found.items()]


def find_class_pngs(pattern: Path, faults: list[str]) -> list[Path]:
    """The files that fit a pattern, sorted; those that lead out of its folder by a link are faults.

    Raises:
        InputError: if the pattern lacks {case} or {class}, is for JPEG, or fits no file.
    """
    for part in ("{case}", "{class}"):
        if part not in str(pattern):
            raise InputError(f"{pattern}: has no {part}; write for instance masks/{{case}}/{{class}}.png")
    if pattern.suffix.lower() in _LOSSY:
        raise InputError(f"{pattern}: JPEG blurs a mask's edge; export the masks as PNG")
    root = Path(pattern_root(str(pattern)))
    if not root.is_dir():
        raise InputError(f"{pattern}: there is no folder {root}; check the path")
    files, others = [], []
    for file in sorted(root.rglob("*")):
        if file.is_dir() or file.name.startswith("."):
            continue
        if not _matcher(pattern, None).fullmatch(_text(file, root)):
            others.append(str(file.relative_to(root)))
        elif not file.resolve().is_relative_to(root.resolve()):
            faults.append(f"{file}: is a link that leads out of {root}; copy the file there")
        else:
            files.append(file)
    if not files and not faults:
        raise InputError(
            f"{pattern}: no file in {root} fits it ({shortlist(others) or 'it is empty'}); mend it"
        )
    if others:
        log.info("%s: passed over %d files that do not fit: %s", pattern, len(others), shortlist(others))
    return files


def _text(file: Path, root: Path) -> str:
    return normalize("NFC", file.relative_to(root).as_posix())


@functools.lru_cache(maxsize=1000)
def _matcher(pattern: Path, longest: int | None) -> re.Pattern[str]:
    """A pattern below its root as a regular expression, with {case} of at most `longest` characters."""
    text = normalize("NFC", pattern.relative_to(Path(pattern_root(str(pattern)))).as_posix())
    most = "" if longest is None else longest
    groups = {"{case}": f"(?P<case>[^/]{{1,{most}}})", "{class}": "(?P<name>[^/]+)"}
    again = {"{case}": "(?P=case)", "{class}": "(?P=name)"}
    expression = ""
    for piece in re.split(r"(\{case\}|\{class\}|\*)", text):
        if piece in groups:
            expression += groups.pop(piece)
            groups[piece] = again[piece]
        else:
            expression += "[^/]*" if piece == "*" else re.escape(piece)
    return re.compile(expression)


def _parts(file: Path, pattern: Path, cases: Collection[str]) -> tuple[str, str]:
    """Case and class of a file, behind whose name the message goes."""
    text = _text(file, Path(pattern_root(str(pattern))))
    readings: list[tuple[str, str]] = []
    longest: int | None = None
    while longest != 0 and (match := _matcher(pattern, longest).fullmatch(text)):
        readings.append((match["case"], match["name"]))
        longest = len(match["case"]) - 1
    known = [reading for reading in readings if reading[0] in cases]
    if len(known) > 1:
        told = " or ".join(f"class {name!r} of case {case!r}" for case, name in known)
        raise InputError(f"may be {told}; rename it, or part the two by a folder")
    return (known or readings)[0]


def _add(found: dict[str, _Case], case: str, class_name: str | None, file: Path) -> None:
    """Add a mask to its case; of a class that is not asked for, its size alone."""
    runs = runs_of(read_mask(file))
    known = found.setdefault(case, _Case([], file, (runs.height, runs.width)))
    if known.size != (runs.height, runs.width):
        height, width = known.size
        raise InputError(
            f"{file}: is {runs.width} x {runs.height}, {known.first} is {width} x {height} "
            "(width x height); export both at the size of the image"
        )
    if class_name is not None:
        known.shapes.append(Shape(f"mask {file.name!r}", class_name, (runs,)))


def write_class_masks(folder: str | Path, masks: NDArray[np.bool_], classes: Sequence[str]) -> None:
    """Write `<folder>/<class>.png`, 0 and 255, for each class of `masks` (class, height, width).

    As in a data set's labels, a class without a pixel has no file; the folder is there in any case.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    for mask, name in zip(masks, classes, strict=True):
        if mask.any():
            write_mask(Path(folder) / f"{name}.png", mask)
