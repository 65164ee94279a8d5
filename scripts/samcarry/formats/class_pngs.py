"""One PNG per class, in any folder layout: reading by a pattern of {case} and {class}, and writing."""

import functools
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.data.contract import pattern_root
from samcarry.data.user_files import LABEL_SUFFIX, by_name, composed, label_name, visible_files
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.geometry.run_lengths import encode_mask
from samcarry.geometry.shapes import Annotation, ClassMapper, LabelledShape, same_name
from samcarry.images.masks import read_mask, write_mask

log = logging.getLogger(__name__)
_LOSSY = (".jpg", ".jpeg")


@dataclass(frozen=True)
class _CaseMasks:
    """The masks found for an image, and the file and size (height, width) of the first."""

    shapes: list[LabelledShape]
    first: Path
    size: tuple[int, int]


def read_class_pngs(
    pattern: str | Path, map_class: ClassMapper = same_name, *, cases: Collection[str] = ()
) -> list[Annotation]:
    """Read the masks in all files that match a pattern.

    A mask is read as `masks.read_mask` does: black is "not this class", any other value is. An image without
    any of the classes needs a black mask to count as annotated.

    Args:
        pattern: a path with {case} and {class}, such as masks/{case}/{class}.png or {case}_{class}.png;
            `*` stands for any text without a slash. Folders with `*` before {case} are folders of the image.
            The suffix .png also means .PNG.
        map_class: maps the text at {class} to a class, None to skip its files.
        cases: the known cases; they decide whether a_b_c.png is class c of a_b or class b_c of a.

    Returns:
        One annotation per image, named by its folders and case.

    Raises:
        InputError: one line per fault: a pattern that lacks a part or matches no file, or a file that can
            be read in two ways, has the name of another one (.png and .PNG), is not a PNG, or differs in size
            from the first of its image.
    """
    pattern = Path(pattern)
    faults: list[str] = []
    found: dict[str, _CaseMasks] = {}
    for file in _find_class_pngs(pattern, faults):
        try:
            image, name = _image_and_class(file, pattern, cases)
            class_name = map_class(name)
        except InputError as error:
            faults.append(f"{file}: {error}")
            continue
        try:
            _add_mask(found, image, class_name, file)
        except InputError as error:
            faults += str(error).splitlines()
    raise_faults(faults)
    return [Annotation(pattern, image, masks.size, tuple(masks.shapes)) for image, masks in found.items()]


def _find_class_pngs(pattern: Path, faults: list[str]) -> list[Path]:
    """The files that match a pattern, sorted; links that lead out of its folder are faults."""
    for part in ("{case}", "{class}"):
        if part not in str(pattern):
            raise InputError(f"{pattern}: has no {part}; write, for example, masks/{{case}}/{{class}}.png")
    if pattern.suffix.lower() in _LOSSY:
        raise InputError(f"{pattern}: JPEG blurs the edge of a mask; export the masks as PNG")
    root = Path(pattern_root(str(pattern)))
    if not root.is_dir():
        raise InputError(f"{pattern}: there is no folder {root}; check the path")
    files, others = [], []
    for file in visible_files(root, faults):
        if not _matcher(pattern, None).fullmatch(_relative_text(file, root)):
            others.append(str(file.relative_to(root)))
        elif not file.resolve().is_relative_to(root.resolve()):
            faults.append(f"{file}: is a link that leads out of {root}; copy the file there")
        else:
            files.append((_relative_text(file, root), file))
    if not files and not faults:
        raise InputError(
            f"{pattern}: no file in {root} matches it ({shortlist(others) or 'the folder is empty'}); "
            "correct the pattern"
        )
    if others:
        log.warning("%s: skipped %d files that do not match: %s", pattern, len(others), shortlist(others))
    return list(by_name(files, "mask at", faults).values())


def _relative_text(file: Path, root: Path) -> str:
    """The path of a file below `root`, whose suffix counts as .png in any case."""
    text = composed(file.relative_to(root).as_posix())
    return text if label_name(file) is None else f"{text.removesuffix(file.suffix)}{LABEL_SUFFIX}"


@functools.lru_cache(maxsize=1000)
def _matcher(pattern: Path, max_case_length: int | None) -> re.Pattern[str]:
    """The pattern below its root as a regular expression; {case} has at most `max_case_length` characters."""
    text = _relative_text(pattern, Path(pattern_root(str(pattern))))
    most = "" if max_case_length is None else max_case_length
    groups = {"{case}": f"(?P<case>[^/]{{1,{most}}})", "{class}": "(?P<name>[^/]+)"}
    repeats = {"{case}": "(?P=case)", "{class}": "(?P=name)"}
    expression = ""
    for piece in re.split(r"(\{case\}|\{class\}|\*)", text):
        if piece in groups:
            expression += groups.pop(piece)
            groups[piece] = repeats[piece]
        else:
            expression += "[^/]*" if piece == "*" else re.escape(piece)
    return re.compile(expression)


def _image_and_class(file: Path, pattern: Path, cases: Collection[str]) -> tuple[str, str]:
    """Image (case with folders) and class of a file; the message of an error continues the file's name."""
    text = _relative_text(file, Path(pattern_root(str(pattern))))
    readings: list[tuple[str, str]] = []
    max_length: int | None = None
    while max_length != 0 and (match := _matcher(pattern, max_length).fullmatch(text)):
        readings.append((match["case"], match["name"]))
        max_length = len(match["case"]) - 1
    known = [reading for reading in readings if reading[0] in cases]
    if len(known) > 1:
        choices = " or ".join(f"class {name!r} of case {case!r}" for case, name in known)
        raise InputError(f"may be {choices}; rename it, or use folders to separate the two")
    case, name = (known or readings)[0]
    return "/".join([*_image_folders(text, pattern), case]), name


def _image_folders(text: str, pattern: Path) -> list[str]:
    """The folders of a file that the pattern gives with `*` before {case}."""
    parts = _relative_text(pattern, Path(pattern_root(str(pattern)))).split("/")
    until = next(place for place, part in enumerate(parts) if "{case}" in part)
    return [folder for part, folder in zip(parts[:until], text.split("/"), strict=False) if "*" in part]


def _add_mask(found: dict[str, _CaseMasks], image: str, class_name: str | None, file: Path) -> None:
    """Add a mask to its image; if the class is skipped, only check the size."""
    runs = encode_mask(read_mask(file))
    masks = found.setdefault(image, _CaseMasks([], file, (runs.height, runs.width)))
    if masks.size != (runs.height, runs.width):
        height, width = masks.size
        raise InputError(
            f"{file}: is {runs.width} x {runs.height}, but {masks.first} is {width} x {height} "
            "(width x height); export both at the size of the image"
        )
    if class_name is not None:
        masks.shapes.append(LabelledShape(f"mask {file.name!r}", class_name, (runs,)))


def write_class_masks(folder: str | Path, masks: NDArray[np.bool_], classes: Sequence[str]) -> None:
    """Write `<folder>/<class>.png`, 0 and 255, for each class of `masks` (class, height, width).

    As in the labels of a data set, a class without a pixel has no file; the folder is always created.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    for mask, name in zip(masks, classes, strict=True):
        if mask.any():
            write_mask(Path(folder) / f"{name}.png", mask)
