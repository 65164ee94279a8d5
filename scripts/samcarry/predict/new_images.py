"""Predictions of a trained model on new images, given as arrays or as a folder of files."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from samcarry import __version__
from samcarry.data.contract import visible_entries
from samcarry.errors import InputError, shortlist
from samcarry.formats import FORMATS
from samcarry.formats.writers import OVERLAP_RULE, MaskWriter
from samcarry.images import IMAGE_SUFFIXES
from samcarry.images.dicom import is_dicom
from samcarry.images.grey import as_grey, read_grey, resize_grey
from samcarry.images.masks import mask_at_size
from samcarry.predict.models import Model
from samcarry.prompting.cleaning import most_likely_components
from samcarry.runtime.progress import progress
from samcarry.storage.files import atomic, write_text

log = logging.getLogger(__name__)
RECORD = "predict.json"
"""The file that marks a folder as made by samcarry predict."""


@overload
def predict_masks(model: Model, images: NDArray[Any], *, one_component: bool = ...) -> NDArray[np.bool_]: ...


@overload
def predict_masks(
    model: Model, images: Sequence[NDArray[Any]], *, one_component: bool = ...
) -> list[NDArray[np.bool_]]: ...


def predict_masks(
    model: Model, images: NDArray[Any] | Sequence[NDArray[Any]], *, one_component: bool = False
) -> NDArray[np.bool_] | list[NDArray[np.bool_]]:
    """Masks of one or several grey images, each at the size of its image.

    The grey values are mapped to 0..255 as in `samcarry predict`: by the model's window, or from the full
    range of the data type. The image is resized to the size of the network. The probabilities are resized
    back and thresholded at 0.5 (see `masks.mask_at_size`).

    Args:
        model: a model from `load_model`.
        images: one image or a sequence of images of any sizes. An image has shape (height, width) and
            type uint8 or uint16; 0 is black.
        one_component: keep only the component of each class with the highest mean probability (Eq. 1).

    Returns:
        For one image, bool masks (class, height, width) in the order of `model.classes`; classes may
        overlap. For a sequence, a list of such masks.

    Raises:
        InputError: an image has another shape or type.
    """
    if isinstance(images, np.ndarray):
        return _predict_grey(model, _checked_grey(images, model.window, "image"), one_component)
    greys = (_checked_grey(image, model.window, f"image {number}") for number, image in enumerate(images, 1))
    return [_predict_grey(model, grey, one_component) for grey in greys]


def _checked_grey(image: NDArray[Any], window: tuple[float, float] | None, name: str) -> NDArray[np.uint8]:
    """The grey values 0..255 of an array from the user."""
    if image.ndim != 2 or image.size == 0:
        raise InputError(
            f"{name}: its shape is {image.shape}, not (height, width); pass grey images, several as a list"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{name}: its type is {image.dtype}; convert it to uint8 or uint16")
    return as_grey(image, window, name)


def _predict_grey(model: Model, image: NDArray[np.uint8], one_component: bool) -> NDArray[np.bool_]:
    """Masks (class, height, width) of grey values (height, width), 0..255."""
    small = model.predict(resize_grey(image, *model.size)[None])[0]
    height, width = image.shape
    masks = np.empty((len(small), height, width), dtype=bool)
    for index, probability in enumerate(small):
        if one_component:
            enlarged = resize_grey(probability, height, width)
            masks[index] = most_likely_components(enlarged[None])[0]
        else:
            masks[index] = mask_at_size(probability, height, width)
    return masks


def find_new_images(folder: str | Path) -> tuple[dict[str, Path], list[str]]:
    """{case: image file} of a folder and its subfolders, and one line for each image that is left out.

    A case is named after its file without the suffix, with its subfolders: 'monday/17'. DICOM files need no
    suffix. If two images have the same name, the second one is left out.

    Raises:
        InputError: the folder does not exist or contains no images.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: folder not found; give the path of the folder with your images")
    found: dict[str, Path] = {}
    faults, others, waiting = [], [], [folder]
    while waiting:
        entries = visible_entries(waiting.pop(0))
        waiting += [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
        for file in entries:
            if not file.is_file():
                continue
            known = file.suffix.lower() in IMAGE_SUFFIXES
            if not known and not is_dicom(file):
                others.append(file.name)
                continue
            # DICOM files without a suffix often have names of digits and dots, which are kept unchanged.
            case = (file.with_suffix("") if known else file).relative_to(folder).as_posix()
            if not case.isprintable():
                faults.append(f"{str(file)!r}: its name contains an unprintable character; rename it")
            elif case in found:
                faults.append(f"{file}: has the same name as {found[case].name}; rename one of them")
            else:
                found[case] = file
    if others:
        log.warning("%s: skipped files that are not images: %s", folder, shortlist(others))
    if not found:
        raise InputError(f"{folder}: contains no images ({', '.join(IMAGE_SUFFIXES)}); add some")
    return found, faults


def predict_folder(
    model: Model,
    images: str | Path,
    out: str | Path,
    formats: Sequence[str] = ("png", "overlay"),
    *,
    one_component: bool = False,
    window: tuple[float, float] | None = None,
    overwrite: bool = False,
) -> tuple[list[str], list[str]]:
    """Write masks of all images of a folder, as the command `samcarry predict` does.

    The output folder is created when prediction has finished; a call that fails or is stopped leaves nothing
    behind. `classes.csv` lists the classes, and `predict.json` records the model and the settings.

    Args:
        model: a model from `load_model`.
        images: folder of PNG, JPEG, TIFF or DICOM files; its subfolders are searched too.
        out: the output folder, outside `images`.
        formats: what to write: 'png', 'labelmap', 'nifti', 'coco', 'cvat', 'dicomseg', 'overlay'.
        one_component: keep only the component of each class with the highest mean probability (Eq. 1).
        window: percentiles of the grey values that become black and white; None uses the model's window.
        overwrite: replace an existing `out`, if an earlier call made it.

    Returns:
        The names of the predicted cases, and one line for each image or file that was left out.

    Raises:
        InputError: a format is unknown, `out` exists or is not outside `images`, or no image can be read.
    """
    images, out = Path(images), Path(out)
    if unknown := [name for name in formats if name not in FORMATS]:
        raise InputError(f"format '{unknown[0]}' is unknown; choose from {', '.join(FORMATS)}")
    _check_out(images, out, overwrite)
    found, faults = find_new_images(images)
    log.info("%d images; %d classes at %d x %d pixels", len(found), len(model.classes), *model.size)
    window = model.window if window is None else window
    done = []
    with atomic(out) as private:
        files = MaskWriter(private, model.classes, formats)
        for case, file in progress(found.items(), "predicted"):
            try:
                grey = read_grey(file, window)
            except InputError as error:
                faults.append(str(error))
                continue
            masks = _predict_grey(model, grey, one_component)
            files.add(case, masks, grey, file_name=file.relative_to(images).as_posix(), source=file)
            done.append(case)
        if not done:
            raise InputError(
                "\n".join([*faults, f"{images}: none of the images can be read; {out} was not written"])
            )
        files.finish()
        faults += files.faults
        settings = {"formats": list(formats), "one_component": one_component, "window": window}
        _write_record(private / RECORD, model, {**settings, "cases": done, "left_out": faults})
    return done, faults


def _write_record(path: Path, model: Model, record: dict[str, object]) -> None:
    """Write predict.json: versions, settings and cases."""
    origin = {"samcarry": __version__, "model_sha256": model.sha256, "overlap_rule": OVERLAP_RULE}
    write_text(path, json.dumps({**origin, **record}, ensure_ascii=False, indent=1))


def _check_out(images: Path, out: Path, overwrite: bool) -> None:
    """Refuse an output folder if writing it could destroy files of the user."""
    target, source = out.resolve(), images.resolve()
    if target.is_relative_to(source) or source.is_relative_to(target):
        raise InputError(
            f"{out}: the output folder must not be inside the folder of the images or contain it; "
            "choose another folder"
        )
    if not out.exists() and not out.is_symlink():
        return
    if not overwrite:
        raise InputError(f"{out}: already exists; choose another folder, or add --overwrite to replace it")
    if not (out / RECORD).is_file() or out.is_symlink():
        raise InputError(f"{out}: was not made by samcarry predict; choose another folder")
