"""Masks on new images from a model file alone, each at its image's original size."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from samcarry import __version__
from samcarry.cleaning import most_likely_components
from samcarry.contract import is_class_name, visible
from samcarry.dicom import is_dicom
from samcarry.errors import InputError
from samcarry.exporting import (
    CocoImage,
    run_lengths,
    write_class_masks,
    write_class_table,
    write_coco,
    write_label_map,
    write_nifti,
    write_overlay,
)
from samcarry.faults import shortlist
from samcarry.files import atomic, sha256, write_text
from samcarry.images import IMAGE_SUFFIXES, read_grey, resize_grey
from samcarry.progress import progress
from samcarry.stacks import THRESHOLD
from samcarry.training import predict
from samcarry.unet import UNet, load_unet

log = logging.getLogger(__name__)

FORMATS = ("png", "labelmap", "nifti", "coco", "overlay")
RECORD = "predict.json"


@dataclass(frozen=True)
class Model:
    """A trained U-Net and what it takes to feed it.

    Attributes:
        network: one logit a class.
        classes: their names.
        size: height and width that images are resized to, in pixels.
        mean: of the training images' grey values, 0..1.
        std: likewise their standard deviation.
        window: percentiles of grey values, see `images.read_grey`; None = the full range.
        sha256: of the model file.
    """

    network: UNet
    classes: tuple[str, ...]
    size: tuple[int, int]
    mean: float
    std: float
    window: tuple[float, float] | None
    sha256: str


def load_model(path: str | Path, device: str = "auto") -> Model:
    """Load a model.safetensors onto a device: 'cpu', 'cuda', or 'auto', which takes a GPU if there is one.

    Raises:
        InputError: the file is missing, damaged or no U-Net of samcarry; the device is not there.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such model file; name a model.safetensors")
    network, about = load_unet(path)
    try:
        height, width = (int(number) for number in about["size"])
        window = about.get("window")
        model = Model(
            network.to(_device(device)),
            tuple(about["classes"]),
            (height, width),
            float(about["mean"]),
            float(about["std"]),
            None if window is None else (float(window[0]), float(window[1])),
            sha256(path),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: does not tell its size, mean and std; train it anew") from None
    step = 2**network.depth
    if min(height, width) < 1 or height % step or width % step or not model.std > 0:
        raise InputError(f"{path}: its size {height} x {width} or std {model.std:g} cannot be; train it anew")
    # Classes become names of files, and a model file may come from anywhere.
    if bad := [name for name in model.classes if not (isinstance(name, str) and is_class_name(name))]:
        raise InputError(f"{path}: a class cannot be called {bad[0]!r}; name its classes otherwise")
    return model


def predict_masks(
    model: Model, image: NDArray[np.uint8], *, one_component: bool = False
) -> NDArray[np.bool_]:
    """Masks (class, height, width) of a grey image (height, width) of any size.

    The image is resized to the network's size, and the probability maps back, bilinearly, before they
    are cut at 0.5: so edges are smoother than those of masks that were enlarged.

    Args:
        model: of `load_model`.
        image: grey values 0..255.
        one_component: keep of each class only the component with the highest mean probability (Eq. 1).
    """
    small = predict(model.network, resize_grey(image, *model.size)[None], model.mean, model.std)[0]
    height, width = image.shape
    masks = np.empty((len(small), height, width), dtype=bool)
    for index, probability in enumerate(small):
        enlarged = resize_grey(probability, height, width)
        masks[index] = most_likely_components(enlarged[None])[0] if one_component else enlarged > THRESHOLD
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
            if case in found:
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
        model: of `load_model`.
        images: folder of PNG, JPEG, TIFF or DICOM files, see `find_new_images`.
        out: folder to be made: masks/<case>/<class>.png, labelmaps/<case>.png, nifti/<case>.nii.gz,
            coco.json and overlays/<case>.png, as `formats` say; classes.csv and predict.json always.
        formats: of `FORMATS`.
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
    done: dict[str, CocoImage] = {}
    with atomic(out) as private:
        private.mkdir()
        for case, file in progress(found.items(), "predicted"):
            try:
                grey = read_grey(file, model.window if window is None else window)
            except InputError as error:
                faults.append(str(error))
                continue
            masks = predict_masks(model, grey, one_component=one_component)
            _write_case(private, case, grey, masks, model.classes, formats)
            encoded = run_lengths(masks) if "coco" in formats else ()
            done[case] = CocoImage(file.relative_to(images).as_posix(), len(grey), len(grey[0]), encoded)
        if not done:
            raise InputError("\n".join([*faults, f"{images}: no image could be read; {out} was not written"]))
        if "coco" in formats:
            write_coco(private / "coco.json", done.values(), model.classes)
        write_class_table(private / "classes.csv", model.classes)
        record = {
            "samcarry": __version__,
            "model_sha256": model.sha256,
            "formats": list(formats),
            "one_component": one_component,
            "window": model.window if window is None else window,
            "cases": list(done),
            "left_out": faults,
        }
        write_text(private / RECORD, json.dumps(record, ensure_ascii=False, indent=1))
    return list(done), faults


def _write_case(
    out: Path,
    case: str,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    classes: Sequence[str],
    formats: Sequence[str],
) -> None:
    """Write one case in each format that has files of its own."""
    if "png" in formats:
        write_class_masks(out / "masks" / case, masks, classes)
    if "labelmap" in formats:
        write_label_map(out / "labelmaps" / f"{case}.png", masks)
    if "nifti" in formats:
        write_nifti(out / "nifti" / f"{case}.nii.gz", masks, classes, case)
    if "overlay" in formats:
        write_overlay(out / "overlays" / f"{case}.png", image, masks)


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


def _device(name: str) -> str:
    """The device that a name stands for."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {name}: there is no GPU that torch can use; take --device cpu")
    return name
