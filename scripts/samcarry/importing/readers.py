"""The annotation formats that can be imported: their readers, options and file suffixes."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from samcarry.data.user_files import by_name, composed
from samcarry.formats.class_pngs import read_class_pngs
from samcarry.formats.class_tables import load_class_table
from samcarry.formats.coco import read_coco
from samcarry.formats.cvat import read_cvat
from samcarry.formats.dicom_seg import image_names_by_uid, read_dicom_seg
from samcarry.formats.label_maps import LABEL_MAP_SUFFIXES, read_label_map
from samcarry.formats.label_studio import read_label_studio
from samcarry.formats.labelme import read_labelme
from samcarry.formats.mask_tables import read_mask_table
from samcarry.formats.nifti import NIFTI_SUFFIXES, read_nifti
from samcarry.formats.seg_nrrd import NRRD_SUFFIXES, read_seg_nrrd
from samcarry.formats.supervisely import NOT_ANNOTATIONS, read_supervisely
from samcarry.formats.via import VIA_SUFFIXES, read_via
from samcarry.formats.voc import MAPS_FOLDER, load_voc_table, read_voc
from samcarry.formats.yolo import NOT_LABELS, load_yolo_table, read_yolo
from samcarry.geometry.shapes import Annotation
from samcarry.images import DICOM_SUFFIXES
from samcarry.importing.folders import expand_folders
from samcarry.importing.matching import without_suffix

Reader = Callable[..., Iterable[Annotation]]
"""Takes a file, a ClassMapper and, by keyword, the options of its format."""

READERS: dict[str, Reader] = {
    "cvat": read_cvat,
    "coco": read_coco,
    "supervisely": read_supervisely,
    "labelme": read_labelme,
    "labelstudio": read_label_studio,
    "via": read_via,
    "yolo": read_yolo,
    "voc": read_voc,
    "label_maps": read_label_map,
    "class_pngs": read_class_pngs,
    "mask_table": read_mask_table,
    "nifti": read_nifti,
    "segnrrd": read_seg_nrrd,
    "dicomseg": read_dicom_seg,
}

_SUFFIXES: dict[str, Sequence[str]] = {  # of annotation files in a folder; .json if not listed
    "cvat": (".xml",),
    "via": VIA_SUFFIXES,
    "yolo": (".txt",),
    "voc": LABEL_MAP_SUFFIXES,
    "label_maps": LABEL_MAP_SUFFIXES,
    "mask_table": (".csv",),
    "nifti": NIFTI_SUFFIXES,
    "segnrrd": NRRD_SUFFIXES,
    "dicomseg": DICOM_SUFFIXES,
}

# One file per image, with its name.
_NAMED_AFTER_IMAGES = ("supervisely", "yolo", "voc", "label_maps", "nifti", "segnrrd")
_BESIDE_IMAGES = (*_NAMED_AFTER_IMAGES, "labelme")  # in folders like those of the images
_NO_ANNOTATIONS = (*NOT_ANNOTATIONS, *NOT_LABELS)  # files in their folders

# Config keys that are arguments of the format's reader.
_OPTIONS = {
    "cvat": ("label", "attribute"),
    "via": ("attribute",),
    "mask_table": ("columns", "masks"),
}
_TABLES = {  # what reads the key `table`
    "label_maps": load_class_table,
    "nifti": load_class_table,
    "yolo": load_yolo_table,
    "voc": load_voc_table,
}


def reader_options(format_name: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a format's reader, from the config's block of the format."""
    options = {key: source[key] for key in _OPTIONS.get(format_name, ())}
    if (load := _TABLES.get(format_name)) is not None:
        options["table"] = load(source["table"], f"source.{format_name}.table")
    return options


def make_reader(
    format_name: str, options: Mapping[str, Any], images: Path, files: Mapping[str, Path], faults: list[str]
) -> Reader:
    """The reader of a format, with its `reader_options` and what it needs of the images.

    Args:
        format_name: a key of `READERS`.
        options: see `reader_options`.
        images: folder of the images.
        files: {case: image file}.
        faults: one line is added for each image that cannot be identified.
    """
    if format_name in ("class_pngs", "labelstudio"):
        options = {**options, "cases": files}
    elif format_name == "dicomseg":
        options = {**options, "images": image_names_by_uid(files.values(), images, faults)}
    return partial(READERS[format_name], **options)


def list_annotation_files(
    format_name: str, annotations: Mapping[str, Sequence[Path]], faults: list[str]
) -> Iterable[tuple[str, Path, str]]:
    """Split, path and folder of the images (see `Annotation.folder`) of each annotation file.

    Two files for one image in one folder are a fault if files are named after their images.
    """
    suffixes = _SUFFIXES.get(format_name, (".json",))
    for split, paths in annotations.items():
        if format_name == "class_pngs":  # the path is a pattern, and the reader finds its files
            yield from ((split, path, ".") for path in paths)
            continue
        if format_name == "voc":  # the whole data set, or its folder of maps
            paths = [path / MAPS_FOLDER if (path / MAPS_FOLDER).is_dir() else path for path in paths]
        found = list(expand_folders(paths, suffixes, _NO_ANNOTATIONS, faults))
        if format_name in _NAMED_AFTER_IMAGES:
            images = ((_image_of(path, suffixes), path) for path, _ in found)
            kept = set(by_name(images, "annotation of image", faults).values())
            found = [(path, folder) for path, folder in found if path in kept]
        for path, folder in found:
            yield split, path, _image_folder(folder, format_name)


def _image_of(path: Path, suffixes: Sequence[str]) -> str:
    """What files for one image in one folder have in common, if they are named after it."""
    suffix = max((s for s in suffixes if path.name.lower().endswith(s)), key=len, default="")
    return composed(without_suffix(str(path)[: len(str(path)) - len(suffix)]))


def _image_folder(folder: str, format_name: str) -> str:
    """The folder of the images of an annotation file in `folder`."""
    if format_name == "supervisely":  # <data set>/ann/a.png.json annotates <data set>/img/a.png
        folder = re.sub(r"(^|/)ann$", r"\1img", folder)
    if format_name == "yolo":  # labels/train/a.txt annotates images/train/a.png
        folder = re.sub(r"^(|.*/)labels(?=/|$)", r"\1images", folder)
    return folder if format_name in _BESIDE_IMAGES else "."
