"""Masks on new images from a model file alone, each at its image's original size."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry import __version__
from samcarry.data.contract import visible
from samcarry.errors import InputError, shortlist
from samcarry.formats.writers import OVERLAP_RULE, MaskFiles
from samcarry.images import IMAGE_SUFFIXES
from samcarry.images.dicom import is_dicom
from samcarry.images.grey import read_grey, resize_grey
from samcarry.images.masks import mask_at_size
from samcarry.predict.models import Model
from samcarry.prompting.cleaning import most_likely_components
from samcarry.runtime.progress import progress
from samcarry.storage.files import atomic, write_text

log = logging.getLogger(__name__)
RECORD = "predict.json"


def predict_masks(
    model: Model, image: NDArray[np.uint8], *, one_component: bool = False
) -> NDArray[np.bool_]:
    """Masks (class, height, width) of a grey image (height, width) of any size.

    The image is resized to the network's size, and the probability maps back (`mask_files.mask_at_size`).

    Args:
        model: of `taken_models.load_model`.
        image: grey values 0..255.
        one_component: keep of each class only the component with the highest mean probability (Eq. 1).
    """
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
    """{case: image} of a folder and the folders in it, and a line for each that is left out.

    A case is called as its image without the suffix, after the folders it lies in: 'monday/17'. DICOM
    files need no suffix. Of two images of one name the second is left out.

    Raises:
        InputError: there is no such folder, or no image in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name the one with your images")
    found: dict[str, Path] = {}
    faults, others, waiting = [], [], [folder]
    while waiting:
        entries = visible(waiting.pop(0))
        waiting += [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
        for file in entries:
            if not file.is_file():
                continue
            known = file.suffix.lower() in IMAGE_SUFFIXES
            if not known and not is_dicom(file):
                others.append(file.name)
                continue
            # Names of DICOM files without a suffix are often numbers with dots: nothing is cut off.
            case = (file.with_suffix("") if known else file).relative_to(folder).as_posix()
            if not case.isprintable():
                faults.append(f"{str(file)!r}: has a character in its name that does not print; rename it")
            elif case in found:
                faults.append(f"{file}: has the name of {found[case].name} beside it; rename one")
            else:
                found[case] = file
    if others:
        log.warning("%s: passed over what is no image: %s", folder, shortlist(others))
    if not found:
        raise InputError(f"{folder}: holds no image ({', '.join(IMAGE_SUFFIXES)}); put some there")
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
    """Predict every image of a folder; `out` appears as a whole when all is done.

    Args:
        model: of `taken_models.load_model`.
        images: folder of PNG, JPEG, TIFF or DICOM files, see `find_new_images`.
        out: folder to be made, see `mask_files.MaskFiles`; predict.json tells how it came about.
        formats: of `mask_files.FORMATS`.
        one_component: see `predict_masks`.
        window: percentiles in place of the model's own, see `images.read_grey`.
        overwrite: replace an `out` that an earlier call made.

    Returns:
        The cases done, and a line for each image that could not be.

    Raises:
        InputError: `out` is in the way, there are no images, or none of them can be read.
    """
    images, out = Path(images), Path(out)
    _judge_out(images, out, overwrite)
    found, faults = find_new_images(images)
    log.info("%d images; %d classes at %d x %d pixels", len(found), len(model.classes), *model.size)
    window = model.window if window is None else window
    done = []
    with atomic(out) as private:
        files = MaskFiles(private, model.classes, formats)
        for case, file in progress(found.items(), "predicted"):
            try:
                grey = read_grey(file, window)
            except InputError as error:
                faults.append(str(error))
                continue
            masks = predict_masks(model, grey, one_component=one_component)
            files.add(case, masks, grey, file_name=file.relative_to(images).as_posix(), source=file)
            done.append(case)
        if not done:
            raise InputError("\n".join([*faults, f"{images}: no image could be read; {out} was not written"]))
        files.finish()
        faults += files.faults
        settings = {"formats": list(formats), "one_component": one_component, "window": window}
        _write_record(private / RECORD, model, {**settings, "cases": done, "left_out": faults})
    return done, faults


def _write_record(path: Path, model: Model, told: dict[str, object]) -> None:
    """Write how the masks came about."""
    about = {"samcarry": __version__, "model_sha256": model.sha256, "overlap_rule": OVERLAP_RULE}
    write_text(path, json.dumps({**about, **told}, ensure_ascii=False, indent=1))


def _judge_out(images: Path, out: Path, overwrite: bool) -> None:
    """Refuse an output folder that would cost the user something."""
    inside, around = out.resolve(), images.resolve()
    if inside.is_relative_to(around) or around.is_relative_to(inside):
        raise InputError(f"{out}: lies in the images' folder or around it; name a folder elsewhere")
    if not out.exists() and not out.is_symlink():
        return
    if not overwrite:
        raise InputError(f"{out}: is there already; name another folder, or add --overwrite to replace it")
    if not (out / RECORD).is_file() or out.is_symlink():
        raise InputError(f"{out}: was not made by samcarry predict and is not replaced; name another folder")
