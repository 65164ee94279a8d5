"""Which images and annotations a folder or an export holds, as the block `source` of a config."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from defusedxml.ElementTree import iterparse

from samcarry.data.user_files import image_name, visible_entries, visible_files
from samcarry.errors import InputError
from samcarry.images import IMAGE_SUFFIXES

_MASKS = ("masks", "labels", "segmentations", "annotations", "labelsTr")
_MOST_JSON = 200  # files of an export that are opened to find out its format

Source = dict[str, Any]


def find_source(path: Path) -> Source:
    """The block `source` for a folder or an annotation file.

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
    if not any(image_name(file) for file in files):
        raise InputError(
            f"{path}: holds no image ({', '.join(IMAGE_SUFFIXES)}): put the radiographs into {path}/images, "
            f"and the masks into {path}/labels/<case>/<class>.png, or name another folder (docs/own-data.md)"
        )
    if has_outlines:
        return _import("yolo", _folder_of_images(path), str(path / "labels"), _first(path, "data.yaml"))
    if (path / "SegmentationClass").is_dir():
        return _import("voc", _folder_of_images(path), str(path), _first(path, "labelmap.txt"))
    return _export(path, files) or _plain(path, images)


def _plain(path: Path, images: Path) -> Source:
    if images.is_dir():
        return {"format": "folder", "folder": str(path)}
    raise InputError(
        f"{path}: has images, but neither a folder images/ nor annotations that are recognised (CVAT, "
        f"COCO, Supervisely, LabelMe, Label Studio, VIA, YOLO, Pascal VOC, NIfTI, one PNG a class): "
        f"move the images into {path}/images and the masks into {path}/labels/<case>/<class>.png, or write "
        "the import into a config yourself (docs/own-data.md)"
    )


def _export(path: Path, files: list[Path]) -> Source | None:
    """The source of annotations of another program in a folder; None if there are none."""
    found: dict[str, list[Path]] = {}
    others = [file for file in files if file.suffix.lower() in (".json", ".xml")]
    for file in others[:_MOST_JSON]:
        if form := _format_of(file):
            found.setdefault(form, []).append(file)
    images = _folder_of_images(path)
    for form in ("cvat", "coco", "labelstudio", "via"):
        if form in found:
            places = [str(file) for file in found[form]]
            return _import(form, images, places[0] if len(places) == 1 else places)
    for form in ("supervisely", "labelme"):
        if form in found:
            return _import(form, images, os.path.commonpath([file.parent for file in found[form]]))
    for form, suffixes in (("nifti", (".nii", ".nii.gz")), ("segnrrd", (".seg.nrrd",))):
        masks = [file for file in files if file.name.lower().endswith(suffixes)]
        if masks:
            return _import(form, images, os.path.commonpath([file.parent for file in masks]))
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
