"""The file that the annotation page saves: CVAT 1.1 XML with a record of who finished each image, and when.

The shapes are read by `cvat.read_cvat`, as those of any CVAT file. This module reads the rest, and makes sure
that the file is as the page wrote it.
"""

import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samcarry.data.user_files import composed
from samcarry.errors import InputError, raise_faults
from samcarry.formats.cvat import parse_xml
from samcarry.storage.reading import reading

VERSION = "1"
"""Version of the additional entries, which the page writes."""

_MADE_BY_PAGE = b"<samcarry "
_CHECKSUM = re.compile(rb"<!-- samcarry crc32 ([0-9a-f]{8}) -->\s*\Z")


@dataclass(frozen=True)
class FinishedImage:
    """An image that the annotator marked as finished.

    Attributes:
        digest: SHA-256 of the image's file.
        finished: when, as ISO 8601 in UTC.
        seconds: time that it took, without pauses.
        absent: classes that the annotator confirmed as absent.
    """

    digest: str
    finished: str
    seconds: float
    absent: tuple[str, ...]


@dataclass(frozen=True)
class PageFile:
    """What a saved file says besides its shapes.

    Attributes:
        dataset: name of the data set.
        annotator: who corrected.
        images: {name of the image: what was finished}.
    """

    dataset: str
    annotator: str
    images: Mapping[str, FinishedImage]


def read_page_file(path: str | Path) -> PageFile | None:
    """The record in a file that the annotation page saved; None for any other file.

    Raises:
        InputError: one line per fault: a file that is cut off or was edited, that a page of another version
            saved, or whose entries contradict its masks.
    """
    path = Path(path)
    with reading(path, by_rule=False):
        content = path.read_bytes()
    if _MADE_BY_PAGE not in content:
        return None
    found = _CHECKSUM.search(content)
    if found is None or int(found[1], 16) != zlib.crc32(content[: found.start()]):
        raise InputError(
            f"{path}: is cut off or was changed after the annotation page saved it; save it again on the page"
        )
    root = parse_xml(path)
    about = root.find("meta/samcarry")
    version = "none" if about is None else about.get("version", "none")
    if about is None or version != VERSION:
        raise InputError(
            f"{path}: was saved by a page of another version ({version}; this one reads {VERSION}); make the "
            "page again with this version of samcarry, open it in the same browser and save it there"
        )
    classes = [composed(name.text or "") for name in root.iterfind("meta/task/labels/label/name")]
    faults: list[str] = []
    images: dict[str, FinishedImage] = {}
    for element in root.iterfind("image"):
        name = element.get("name", "")
        try:
            images[name] = _read_image(element, classes)
        except InputError as error:
            faults.append(f"{path}: image {name!r} {error}")
    raise_faults(faults)
    return PageFile(about.get("dataset", ""), about.get("annotator", ""), images)


def _read_image(element: Any, classes: list[str]) -> FinishedImage:
    """The record of an <image>.

    Raises:
        InputError: the message continues the place of the image.
    """
    states = {
        state: [composed(name) for name in element.get(state, "").split(";") if name]
        for state in ("corrected", "confirmed", "absent")
    }
    decided = [name for names in states.values() for name in names]
    drawn = {composed(mask.get("label", "")) for mask in element.iterfind("mask")}
    if sorted(decided) != sorted(classes) or drawn != {*states["corrected"], *states["confirmed"]}:
        raise InputError("has masks that do not fit the states of its classes; save it again on the page")
    try:
        seconds = float(element.get("seconds", ""))
    except ValueError:
        seconds = math.nan
    finished, digest = element.get("finished", ""), element.get("sha256", "")
    if not (math.isfinite(seconds) and seconds >= 0 and finished and re.fullmatch(r"[0-9a-f]{64}", digest)):
        raise InputError("does not say when it was finished, or which file it is; save it again on the page")
    return FinishedImage(digest, finished, seconds, tuple(states["absent"]))
