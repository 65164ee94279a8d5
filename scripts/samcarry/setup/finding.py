"""Which images and annotations a folder or an export holds, as the block `source` of a config."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from defusedxml.ElementTree import iterparse

from samcarry.data.user_files import image_name, visible_entries, visible_files
from samcarry.errors import InputError, shortlist
from samcarry.images import IMAGE_SUFFIXES

_MASKS = ("masks", "labels", "segmentations", "annotations", "labelsTr")
_MOST_LISTED = 5  # files of annotations in a config; of more, their folder is named
_ONE_FILE = ("cvat", "coco", "labelstudio", "via")  # formats with the annotations of many images in a file
_MASK_FILES = {"nifti": (".nii", ".nii.gz"), "segnrrd": (".seg.nrrd",)}
_FILE_PER_IMAGE = ("supervisely", "labelme", *_MASK_FILES)

Source = dict[str, Any]


def find_source(path: Path, warnings: list[str]) -> Source:
    """The block `source` for a folder or an annotation file.

    Args:
        path: the folder or file.
        warnings: a line is added if there are annotations of other formats, too, which the block leaves out.

    Raises:
        InputError: there is nothing there, or no image; says what to do.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such folder or file; name the folder of your data")
    if path.is_file():
        form = _format_of(path)
        if form is None:
            raise InputError(
                f"{path}: is not an annotation file that is read (CVAT XML, COCO JSON; docs/own-data.md); "
                "name the folder with images and annotations instead"
            )
        return _import(form, _folder_of_images(path.parent), str(path))
    images = path / "images"
    has_labels = (path / "labels").is_dir() and any(
        entry.is_dir() for entry in visible_entries(path / "labels")
    )
    has_outlines = (path / "labels").is_dir() and any(
        file.suffix.lower() == ".txt" for file in visible_files(path / "labels", [])
    )
    if images.is_dir() and not has_outlines and (has_labels or (path / "cases.csv").exists()):
        return {"format": "folder", "folder": str(path)}
    files = visible_files(path, [])
    whole = _data_set_of(path)
    if not any(image_name(file) for file in files):
        if whole is not None:
            raise InputError(_part_of(path, whole))
        raise InputError(
            f"{path}: holds no image ({', '.join(IMAGE_SUFFIXES)}): put the radiographs into {path}/images, "
            f"and the masks into {path}/labels/<case>/<class>.png, or name another folder (docs/own-data.md)"
        )
    by_form = _by_format(files)
    if has_outlines:
        _warn_of_others(path, "yolo", by_form, warnings)
        return _import("yolo", _folder_of_images(path), str(path / "labels"), _first(path, "data.yaml"))
    if (path / "SegmentationClass").is_dir():
        _warn_of_others(path, "voc", by_form, warnings)
        return _import("voc", _folder_of_images(path), str(path), _first(path, "labelmap.txt"))
    return _export(path, files, by_form, warnings) or _plain(path, images, whole)


def _by_format(files: list[Path]) -> dict[str, list[Path]]:
    """{format: files} of the files of annotations, in the order in which a format is preferred."""
    found: dict[str, list[Path]] = {form: [] for form in (*_ONE_FILE, *_FILE_PER_IMAGE)}
    for file in files:
        # All are opened: no file tells what the others are, and the import reads them all anyway.
        endings = (form for form, suffixes in _MASK_FILES.items() if file.name.lower().endswith(suffixes))
        if form := next(endings, None) or _format_of(file):
            found[form].append(file)
    return {form: of_form for form, of_form in found.items() if of_form}


def _warn_of_others(path: Path, used: str, by_form: dict[str, list[Path]], warnings: list[str]) -> None:
    """Add a line if there are annotations of other formats than the one that is used."""
    others = [
        f"{form} ({shortlist(list(map(str, files)), 3)})" for form, files in by_form.items() if form != used
    ]
    if others:
        warnings.append(
            f"{path}: has annotations of several formats, and the config reads {used} only, not "
            f"{', '.join(others)}: convert them to one format, or move those that are not meant"
        )


def _data_set_of(path: Path) -> Path | None:
    """The folder of the data set whose folder of images or masks `path` is; None if it is none of these."""
    here = path if path.name else path.resolve()
    is_part = here.name in ("images", *_MASKS) and (here.parent / "images").is_dir()
    return here.parent if is_part else None


def _part_of(path: Path, whole: Path) -> str:
    return f"{path}: is only a part of the data set in {whole}: name that folder, samcarry init {whole}"


def _plain(path: Path, images: Path, whole: Path | None) -> Source:
    if images.is_dir():
        return {"format": "folder", "folder": str(path)}
    if whole is not None:
        raise InputError(_part_of(path, whole))
    raise InputError(
        f"{path}: has images, but neither a folder images/ nor annotations that are recognised (CVAT, "
        f"COCO, Supervisely, LabelMe, Label Studio, VIA, YOLO, Pascal VOC, NIfTI, one PNG a class): "
        f"move the images into {path}/images and the masks into {path}/labels/<case>/<class>.png, or write "
        "the import into a config yourself (docs/own-data.md)"
    )


def _export(
    path: Path, files: list[Path], by_form: dict[str, list[Path]], warnings: list[str]
) -> Source | None:
    """The source of annotations of another program in a folder; None if there are none."""
    images = _folder_of_images(path)
    if by_form:
        used, found = next(iter(by_form.items()))
        _warn_of_others(path, used, by_form, warnings)
        if used in _FILE_PER_IMAGE:
            return _import(used, images, os.path.commonpath([file.parent for file in found]))
        if len(found) > _MOST_LISTED and (whole := _folder_of_all(found, files)):
            return _import(used, images, whole)
        places = [str(file) for file in found]
        return _import(used, images, places[0] if len(places) == 1 else places)
    for name in _MASKS:
        folder = path / name
        if not folder.is_dir() or folder == images:
            continue
        entries = visible_entries(folder)
        if any(entry.is_dir() for entry in entries):
            return _import("class_pngs", images, f"{folder}/{{case}}/{{class}}.png")
        if any(entry.suffix.lower() == ".png" for entry in entries):
            return _import("label_maps", images, str(folder))
    return None


def _folder_of_all(places: list[Path], files: list[Path]) -> str | None:
    """The folder whose JSON, XML and CSV files are these; None if there are others in it."""
    folder = Path(os.path.commonpath([file.parent for file in places]))
    suffixes = (".json", ".xml", ".csv")
    inside = [file for file in files if file.is_relative_to(folder) and file.suffix.lower() in suffixes]
    return str(folder) if inside == places else None


def _import(form: str, images: Path, annotations: str | list[str], table: str | None = None) -> Source:
    block: Source = {"images": str(images), "annotations": annotations}
    return {"format": form, form: block if table is None else block | {"table": table}}


def _first(path: Path, name: str) -> str | None:
    """The file `name` in a folder, if there is one."""
    return str(path / name) if (path / name).is_file() else None


def _folder_of_images(folder: Path) -> Path:
    for name in ("images", "img", "imagesTr", "JPEGImages"):
        if (folder / name).is_dir():
            return folder / name
    return folder


def _format_of(file: Path) -> str | None:
    """The format of a JSON or XML file of annotations, by its first keys; None if it is none that is read."""
    try:
        if file.suffix.lower() == ".xml":
            with file.open("rb") as stream:
                root = next(_starts(stream))
            return "cvat" if root == "annotations" else None
        if file.suffix.lower() != ".json":
            return None
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, ParseError, StopIteration, RecursionError):
        return None
    if isinstance(content, list) and all(isinstance(task, dict) for task in content):
        return "labelstudio" if content and {"data", "annotations"} <= content[0].keys() else None
    if not isinstance(content, dict):
        return None
    for form, keys in (
        ("coco", ("images", "annotations")),
        ("supervisely", ("objects", "size")),
        ("labelme", ("shapes", "imagePath")),
    ):
        if all(key in content for key in keys):
            return form
    images = list(content.values())
    if "_via_img_metadata" in content or (
        images
        and all(isinstance(image, dict) and {"filename", "regions"} <= image.keys() for image in images)
    ):
        return "via"
    return None


def _starts(stream: BinaryIO) -> Iterator[str]:
    """The names of the elements of an XML file, as they begin."""
    for _, element in iterparse(stream, events=("start",)):
        yield element.tag
