"""The forms of annotations that can be imported: who reads them, and what each asks for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from samcarry.formats.class_pngs import read_class_pngs
from samcarry.formats.class_tables import find_class_table
from samcarry.formats.coco import read_coco
from samcarry.formats.cvat import read_cvat
from samcarry.formats.dicom_seg import instance_names, read_dicom_seg
from samcarry.formats.label_maps import LABEL_MAP_SUFFIXES, read_label_map
from samcarry.formats.labelme import read_labelme
from samcarry.formats.nifti import NIFTI_SUFFIXES, read_nifti
from samcarry.formats.shapes import Annotation
from samcarry.formats.supervisely import NOT_ANNOTATIONS, read_supervisely
from samcarry.images import DICOM_SUFFIXES
from samcarry.importing.folders import expand_folders

Reader = Callable[..., Iterable[Annotation]]
"""Takes a file, a Choose and, by name, the options of its form."""

_READERS: dict[str, Reader] = {
    "cvat": read_cvat,
    "coco": read_coco,
    "supervisely": read_supervisely,
    "labelme": read_labelme,
    "label_maps": read_label_map,
    "class_pngs": read_class_pngs,
    "nifti": read_nifti,
    "dicomseg": read_dicom_seg,
}

_SUFFIXES: dict[str, Sequence[str]] = {  # of annotation files in a folder; else .json
    "cvat": (".xml",),
    "label_maps": LABEL_MAP_SUFFIXES,
    "nifti": NIFTI_SUFFIXES,
    "dicomseg": DICOM_SUFFIXES,
}

_OPTIONS = {"cvat": ("label", "attribute")}  # keys of the config that the form's reader takes


def reader_options(form: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """What of the config's block of a form is for its reader alone."""
    options = {key: source[key] for key in _OPTIONS.get(form, ())}
    if form in ("label_maps", "nifti"):
        options["table"] = find_class_table(source["table"], f"source.{form}.table")
    return options


def reader_of(form: str, options: Mapping[str, Any], files: Mapping[str, Path], faults: list[str]) -> Reader:
    """The reader of a form, with `reader_options` and what it has to know of the images {case: file}."""
    return partial(_READERS[form], **options, **_image_options(form, files, faults))


def files_of(
    form: str, annotations: Mapping[str, Sequence[Path]], faults: list[str]
) -> Iterable[tuple[str, Path]]:
    """Split and path of every annotation file."""
    for split, paths in annotations.items():
        if form == "class_pngs":  # of a pattern the reader finds the files
            yield from ((split, path) for path in paths)
            continue
        for path in expand_folders(paths, _SUFFIXES.get(form, (".json",)), NOT_ANNOTATIONS, faults):
            yield split, path


def _image_options(form: str, files: Mapping[str, Path], faults: list[str]) -> dict[str, Any]:
    """What a form's reader has to know of the images {case: file} to tell whose masks it reads."""
    if form == "class_pngs":
        return {"cases": files}
    if form == "dicomseg":
        return {"images": instance_names(files, faults)}
    return {}
