"""The annotation formats that can be imported: their readers, options and file suffixes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from samcarry.formats.class_pngs import read_class_pngs
from samcarry.formats.class_tables import load_class_table
from samcarry.formats.coco import read_coco
from samcarry.formats.cvat import read_cvat
from samcarry.formats.dicom_seg import image_names_by_uid, read_dicom_seg
from samcarry.formats.label_maps import LABEL_MAP_SUFFIXES, read_label_map
from samcarry.formats.labelme import read_labelme
from samcarry.formats.nifti import NIFTI_SUFFIXES, read_nifti
from samcarry.formats.supervisely import NOT_ANNOTATIONS, read_supervisely
from samcarry.geometry.shapes import Annotation
from samcarry.images import DICOM_SUFFIXES
from samcarry.importing.folders import expand_folders

Reader = Callable[..., Iterable[Annotation]]
"""Takes a file, a ClassMapper and, by keyword, the options of its format."""

READERS: dict[str, Reader] = {
    "cvat": read_cvat,
    "coco": read_coco,
    "supervisely": read_supervisely,
    "labelme": read_labelme,
    "label_maps": read_label_map,
    "class_pngs": read_class_pngs,
    "nifti": read_nifti,
    "dicomseg": read_dicom_seg,
}

_SUFFIXES: dict[str, Sequence[str]] = {  # of annotation files in a folder; .json if not listed
    "cvat": (".xml",),
    "label_maps": LABEL_MAP_SUFFIXES,
    "nifti": NIFTI_SUFFIXES,
    "dicomseg": DICOM_SUFFIXES,
}

_OPTIONS = {"cvat": ("label", "attribute")}  # config keys that are arguments of the format's reader


def reader_options(format_name: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a format's reader, from the config's block of the format."""
    options = {key: source[key] for key in _OPTIONS.get(format_name, ())}
    if format_name in ("label_maps", "nifti"):
        options["table"] = load_class_table(source["table"], f"source.{format_name}.table")
    return options


def make_reader(
    format_name: str, options: Mapping[str, Any], files: Mapping[str, Path], faults: list[str]
) -> Reader:
    """The reader of a format, with its `reader_options` and what it needs of the images ({case: file})."""
    return partial(READERS[format_name], **options, **_image_options(format_name, files, faults))


def list_annotation_files(
    format_name: str, annotations: Mapping[str, Sequence[Path]], faults: list[str]
) -> Iterable[tuple[str, Path]]:
    """Split and path of each annotation file."""
    for split, paths in annotations.items():
        if format_name == "class_pngs":  # the path is a pattern, and the reader finds its files
            yield from ((split, path) for path in paths)
            continue
        for path in expand_folders(paths, _SUFFIXES.get(format_name, (".json",)), NOT_ANNOTATIONS, faults):
            yield split, path


def _image_options(format_name: str, files: Mapping[str, Path], faults: list[str]) -> dict[str, Any]:
    """Arguments with which a format's reader finds the image of a mask, from {case: file}."""
    if format_name == "class_pngs":
        return {"cases": files}
    if format_name == "dicomseg":
        return {"images": image_names_by_uid(files, faults)}
    return {}
