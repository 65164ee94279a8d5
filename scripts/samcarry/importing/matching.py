"""Which image each annotation belongs to: the path decides, or its end where only one image can be meant."""

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from samcarry.data.user_files import composed, image_name
from samcarry.errors import InputError, shortlist
from samcarry.geometry.shapes import Annotation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Match:
    """The image of one annotation.

    Attributes:
        name: the image's path as the annotation gives it, without suffix: 'patientA/IM0001'.
        case: the case that shows this image; None if there is no such image.
        exact: whether the whole path agrees, and not only its end.
    """

    name: str
    case: str | None
    exact: bool


def match_images(
    annotations: Sequence[Annotation],
    images: Mapping[str, str],
    folder: Path,
    faults: list[str],
    *,
    by_case: bool = False,
) -> list[Match | None]:
    """The image of each annotation.

    If no image has the whole path, one of the two paths may be the end of the other: IM0001 in the
    annotation and patientA/IM0001 on disk, or the reverse. This counts only if no other annotated name can
    mean the same image, and is logged. Images of one name in two folders are different images. Suffixes of
    images do not count, since people annotate a PNG copy of a DICOM file.

    Args:
        annotations: all annotations of an import, since each name is compared with all others.
        images: {case: path of its image below `folder`}. No two have the same name, even in two folders.
        folder: the folder of the images.
        faults: one line is added for each name that may mean another image or leads out of `folder`.
        by_case: whether the name of a case is as good as the whole path of its image, as in tasks.

    Returns:
        One entry for each annotation; None if a fault was added for it.
    """
    case_of = {without_suffix(composed(path)): case for case, path in images.items()}
    known = ({case: case for case in images} if by_case else {}) | case_of
    path_at_end = {_last(path): path for path in case_of}
    names = [_name_in(annotation, folder, faults) for annotation in annotations]
    source_of = {name: a.source for name, a in zip(names, annotations, strict=True) if name is not None}
    namesakes: dict[str, list[str]] = defaultdict(list)
    for name in sorted(source_of, key=lambda name: name not in known):
        namesakes[_last(name)].append(name)
    refused: set[str] = set()
    by_end: dict[str, str] = {}
    for name, source in source_of.items():
        path = None if name in known else path_at_end.get(_last(name))
        if path is None:
            continue
        case, rivals = case_of[path], [other for other in namesakes[_last(name)] if other != name]
        agrees = _is_end(name, path) or _is_end(path, name)
        if agrees and not rivals:
            by_end[name] = case
        elif agrees or not rivals or rivals[0] not in known:
            refused.add(name)
            file = folder / images[case]
            why = (
                f"has no file, and {file} of the same name is in another folder; correct one of the two "
                "folders, or leave this image out"
            )
            if agrees:
                why = (
                    f"may be {file}, but so may {rivals[0]!r} in {source_of[rivals[0]]}; correct one of the "
                    "two, or list the folders of both under `annotations`"
                )
            faults.append(f"{source}: image {name!r} {why}")
    _report([f"{name} -> {images[case]}" for name, case in by_end.items()])
    return [
        None
        if name is None or name in refused
        else Match(name, known.get(name) or by_end.get(name), name in known)
        for name in names
    ]


def without_suffix(path: str) -> str:
    """The path of an image without its suffix: 'patientA/IM0001' for patientA/IM0001.png."""
    name = PurePosixPath(path)
    return path if image_name(name) is None else str(name.with_suffix(""))


def _name_in(annotation: Annotation, folder: Path, faults: list[str]) -> str | None:
    """The path of an annotation's image below `folder`, without suffix; None if a fault was added."""
    try:
        return without_suffix(str(_path_in(annotation, folder)))
    except InputError as error:
        faults.append(f"{annotation.source}: image {annotation.name!r} {error}")
        return None


def _path_in(annotation: Annotation, folder: Path) -> PurePosixPath:
    """The path of an annotation's image below `folder`.

    Raises:
        InputError: it is absolute, leads out of `folder`, or is not a path. The message continues the place
            of the annotation.
    """
    text = composed(annotation.name).replace("\\", "/")
    path = PurePosixPath(text)
    if not text.isprintable() or not path.name:
        raise InputError("is not a file name; rename it")
    if path.is_absolute() or re.match("[A-Za-z]:", text):
        raise InputError(f"has an absolute path; write it relative to {folder}")
    if annotation.relative or ".." in path.parts:
        # The image itself may be a link to another one.
        place = (annotation.source.parent / path.parent).resolve() / path.name
        inside = place.is_relative_to(folder.resolve()) and ".." not in place.parts
        if inside:
            return PurePosixPath(composed(place.relative_to(folder.resolve()).as_posix()))
        if ".." in path.parts:
            raise InputError(f"has a path that leads out of {folder}; write it relative to that folder")
    return PurePosixPath(composed(annotation.folder)) / path


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _is_end(end: str, path: str) -> bool:
    """Whether the last parts of `path` are `end`."""
    return f"/{path}".endswith(f"/{end}")


def _report(matches: Sequence[str]) -> None:
    if matches:
        log.warning(
            "%d annotated images are named without their folders or with further ones, so only the ends of "
            "the paths were compared: %s",
            len(matches),
            shortlist(matches, 20),
        )
