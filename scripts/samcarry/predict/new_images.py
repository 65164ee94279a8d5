"""Predictions of a trained model on new images, given as arrays or as a folder of files."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from samcarry import __version__
from samcarry.data.user_files import by_name, composed, image_name, visible_files
from samcarry.errors import InputError, shortlist
from samcarry.formats import FORMATS
from samcarry.formats.writers import OVERLAP_RULE, MaskWriter
from samcarry.geometry.run_lengths import encode_image, image_from_json
from samcarry.images import IMAGE_SUFFIXES
from samcarry.images.dicom import dicom_codes, is_dicom
from samcarry.images.grey import as_grey, read_grey, resize_grey
from samcarry.images.masks import mask_at_size
from samcarry.images.preparation import SIDES
from samcarry.images.training_look import FEWEST, Unlikeness, compare
from samcarry.predict.laterality import NONE, check_laterality, find_sides, side_to_mirror
from samcarry.predict.models import Model
from samcarry.predict.unfinished import SUFFIX, Unfinished, unfinished
from samcarry.prompting.cleaning import most_likely_components
from samcarry.runtime.progress import progress
from samcarry.storage.files import sha256, write_text
from samcarry.storage.reading import reading
from samcarry.storage.tables import write_table

log = logging.getLogger(__name__)
RECORD = "predict.json"
"""The file that marks a folder as made by samcarry predict."""

TABLE = "images.csv"
COLUMNS = ("file", "case", "predicted", "side", "mirrored", "unlikeness", "unlike", "burned_in", "remark")
"""The columns of images.csv: one row for each image."""

UNLIKE = ("warn", "refuse")
_MAY_BE_WRONG = "its masks may be wrong"


@overload
def predict_masks(
    model: Model,
    images: NDArray[Any],
    *,
    one_component: bool = ...,
    laterality: str | Sequence[str] | None = ...,
) -> NDArray[np.bool_]: ...


@overload
def predict_masks(
    model: Model,
    images: Sequence[NDArray[Any]],
    *,
    one_component: bool = ...,
    laterality: str | Sequence[str] | None = ...,
) -> list[NDArray[np.bool_]]: ...


def predict_masks(
    model: Model,
    images: NDArray[Any] | Sequence[NDArray[Any]],
    *,
    one_component: bool = False,
    laterality: str | Sequence[str] | None = None,
) -> NDArray[np.bool_] | list[NDArray[np.bool_]]:
    """Masks of one or several grey images, each at the size of its image.

    The grey values are mapped to 0..255 as in `samcarry predict`: by the model's window, or from the full
    range of the data type. Images of the side that was mirrored in training are mirrored, and their masks
    back. The image is resized to the size of the network. The probabilities are resized back and thresholded
    at 0.5 (see `masks.mask_at_size`). An image unlike the training images is logged as a warning.

    Args:
        model: a model from `load_model`.
        images: one image or a sequence of images of any sizes. An image has shape (height, width) and
            type uint8 or uint16; 0 is black.
        one_component: keep only the component of each class with the highest mean probability (Eq. 1).
        laterality: the side that the images show, 'left' or 'right', or one of these for each image; needed
            if images of one side were mirrored in training (`Model.mirrored`).

    Returns:
        For one image, bool masks (class, height, width) in the order of `model.classes`; classes may
        overlap. For a sequence, a list of such masks.

    Raises:
        InputError: an image has another shape or type, or `laterality` is missing or does not fit.
    """
    if isinstance(images, np.ndarray):
        named = {"image": images}
    else:
        named = {f"image {number}": image for number, image in enumerate(images, 1)}
    masks = []
    for (name, image), mirror in zip(named.items(), _mirroring(model, laterality, len(named)), strict=True):
        answer = _predict_grey(model, _checked_grey(image, model.window, name), one_component, mirror)
        if answer.unlikeness and answer.unlikeness.reason:
            log.warning("%s: %s; %s", name, answer.unlikeness.reason, _MAY_BE_WRONG)
        masks.append(answer.masks)
    return masks[0] if isinstance(images, np.ndarray) else masks


def _mirroring(model: Model, laterality: str | Sequence[str] | None, count: int) -> list[bool]:
    """Whether to mirror each of `count` images."""
    sides = [laterality] * count if laterality is None or isinstance(laterality, str) else list(laterality)
    if len(sides) != count:
        raise InputError(f"laterality: has {len(sides)} entries for {count} images; give one for each image")
    for side in sides or [None]:
        if side not in (None, NONE, *SIDES):
            raise InputError(f"laterality: {side!r} is not a side; write 'left' or 'right'")
        if count:
            check_laterality(model, side)
    return [side is not None and side == side_to_mirror(model, side) for side in sides]


def _checked_grey(image: NDArray[Any], window: tuple[float, float] | None, name: str) -> NDArray[np.uint8]:
    """The grey values 0..255 of an array from the user."""
    if image.ndim != 2 or image.size == 0:
        raise InputError(
            f"{name}: its shape is {image.shape}, not (height, width); pass grey images, several as a list"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{name}: its type is {image.dtype}; convert it to uint8 or uint16")
    return as_grey(image, window, name)


@dataclass(frozen=True)
class _Answer:
    """Masks (class, height, width) of an image, and how it compares with the training images, if known."""

    masks: NDArray[np.bool_]
    unlikeness: Unlikeness | None


def _predict_grey(model: Model, image: NDArray[np.uint8], one_component: bool, mirror: bool) -> _Answer:
    """Masks of grey values (height, width), 0..255; the network sees the mirrored image if `mirror`."""
    seen = np.ascontiguousarray(image[:, ::-1]) if mirror else image
    prepared = resize_grey(seen, *model.size)
    unlikeness = compare(prepared, model.training_look) if model.training_look else None
    small = model.predict(prepared[None])[0]
    height, width = image.shape
    masks = np.empty((len(small), height, width), dtype=bool)
    for index, probability in enumerate(small):
        if one_component:
            enlarged = resize_grey(probability, height, width)
            masks[index] = most_likely_components(enlarged[None])[0]
        else:
            masks[index] = mask_at_size(probability, height, width)
    return _Answer(np.ascontiguousarray(masks[..., ::-1]) if mirror else masks, unlikeness)


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
    faults: list[str] = []
    named, others = [], []
    for file in visible_files(folder, faults):
        known = image_name(file) is not None
        if not known and not (file.is_file() and is_dicom(file)):
            others.append(file.name)
            continue
        # DICOM files without a suffix often have names of digits and dots, which are kept unchanged.
        case = composed((file.with_suffix("") if known else file).relative_to(folder).as_posix())
        if not case.isprintable():
            faults.append(f"{str(file)!r}: its name contains an unprintable character; rename it")
        else:
            named.append((case, file))
    found = by_name(named, "image", faults)
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
    laterality: str | None = None,
    unlike: str = "warn",
    overwrite: bool = False,
) -> tuple[list[str], list[str]]:
    """Write masks of all images of a folder, as the command `samcarry predict` does.

    The output folder appears when prediction has finished. A call that is stopped leaves `<out>.unfinished`;
    the same call then goes on with the images that are missing. `images.csv` has a row for each image,
    `classes.csv` lists the classes, and `predict.json` records the model and the settings.

    Args:
        model: a model from `load_model`.
        images: folder of PNG, JPEG, TIFF or DICOM files; its subfolders are searched too.
        out: the output folder, outside `images`.
        formats: what to write: 'png', 'labelmap', 'nifti', 'coco', 'cvat', 'dicomseg', 'overlay'.
        one_component: keep only the component of each class with the highest mean probability (Eq. 1).
        window: percentiles of the grey values that become black and white; None uses the model's window.
        laterality: how to find the side that an image shows, see `laterality.find_sides`; needed if images of
            one side were mirrored in training, and refused if not.
        unlike: what to do with images unlike the training images: 'warn', or 'refuse' to leave them out.
        overwrite: replace an existing `out`, if an earlier call made it.

    Returns:
        The names of the predicted cases, and one line for each image or file that was left out.

    Raises:
        InputError: an option is unknown or does not fit the model, the side of an image cannot be found,
            `out` exists or is not outside `images`, or no image can be read.
    """
    images, out = Path(images), Path(out)
    if not out.name:  # the working directory
        out = out.resolve()
    if unknown := [name for name in formats if name not in FORMATS]:
        raise InputError(f"format '{unknown[0]}' is unknown; choose from {', '.join(FORMATS)}")
    check_laterality(model, laterality)
    _check_unlike(model, unlike)
    _check_out(images, out, overwrite)
    found, faults = find_new_images(images)
    log.info("%d images; %d classes at %d x %d pixels", len(found), len(model.classes), *model.size)
    sides = {} if laterality in (None, NONE) else find_sides(laterality, found, images)
    settings = _Settings(
        tuple(formats), one_component, model.window if window is None else window, laterality, unlike
    )
    if settings.window != model.window:
        log.warning("the window %s replaces that of the training images, %s", settings.window, model.window)
    done, rows = [], []
    with unfinished(out, replace=overwrite) as state:
        keys = _Keys(model, settings, images, sides)
        kept = _keep_finished(state, found, keys, out)
        files = MaskWriter(state.results, model.classes, formats, again=True)
        for case, file in progress(found.items(), "predicted"):
            try:
                if case in kept:
                    record = state.recall(case)
                    encoded = record["runs"] and image_from_json(record["runs"])
                    files.add_again(case, encoded, file)
                else:
                    record = _predict_file(model, case, file, settings, keys, files, state)
            except InputError as error:
                faults.append(str(error))
                unlike_too = int(isinstance(error, _RefusedError)) or ""
                rest = [0, sides.get(case, ""), "", "", unlike_too, "", str(error)]
                rows.append([file.relative_to(images).as_posix(), case, *rest])
                continue
            faults += record["faults"]
            rows.append([file.relative_to(images).as_posix(), case, 1, *record["row"]])
            done.append(case)
        if not done:
            raise InputError(
                "\n".join([*faults, f"{images}: none of the images can be predicted; {out} was not written"])
            )
        if strange := sum(row[COLUMNS.index("unlike")] == 1 for row in rows):
            log.warning("%d of %d images are unlike the training images; see %s", strange, len(rows), TABLE)
        files.finish()
        write_table(state.results / TABLE, COLUMNS, rows)
        _write_record(state.results / RECORD, model, {**asdict(settings), "cases": done, "left_out": faults})
    return done, faults


class _RefusedError(InputError):
    """An image is unlike the training images and was left out."""


@dataclass(frozen=True)
class _Settings:
    """The options that decide what is written, as predict.json records them."""

    formats: tuple[str, ...]
    one_component: bool
    window: tuple[float, float] | None
    laterality: str | None
    unlike: str


@dataclass(frozen=True)
class _Keys:
    """All that the results of an image depend on."""

    model: Model
    settings: _Settings
    folder: Path
    sides: Mapping[str, str]

    def mirror(self, case: str) -> bool:
        """Whether the network has to see the mirrored image."""
        side = self.sides.get(case)
        return side is not None and side == side_to_mirror(self.model, self.settings.laterality)

    def of(self, case: str, file: Path) -> str:
        """A digest of model, settings, content and name of an image, and of its side."""
        with reading(file, by_rule=False):
            content = sha256(file)
        settings = {**asdict(self.settings), "laterality": None}  # its outcome counts
        parts = [__version__, self.model.sha256, settings, content, str(file.relative_to(self.folder))]
        text = json.dumps([*parts, self.sides.get(case), self.mirror(case)])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _keep_finished(state: Unfinished, found: Mapping[str, Path], keys: _Keys, out: Path) -> set[str]:
    """The cases that a call that was stopped has finished; whatever else it has left is removed."""
    known = {}
    for case, file in found.items():
        if state.has_record(case):
            with suppress(InputError):  # an image that cannot be read any more is reported later
                known[case] = keys.of(case, file)
    kept = state.keep(known)
    if known:
        others = len(known) - len(kept)
        log.info("%s: %d of %d images are finished already", out, len(kept), len(found))
        if others:
            log.info("%d more were finished with another model, options or content: again", others)
    return kept


def _predict_file(
    model: Model,
    case: str,
    file: Path,
    settings: _Settings,
    keys: _Keys,
    files: MaskWriter,
    state: Unfinished,
) -> dict[str, Any]:
    """Write the masks of an image, and return what images.csv and a later call have to know of it.

    Raises:
        InputError: it cannot be read, or is unlike the training images and therefore refused.
    """
    key = keys.of(case, file)
    burned_in = _burned_in(file)
    grey = read_grey(file, settings.window)
    mirror = keys.mirror(case)
    answer = _predict_grey(model, grey, settings.one_component, mirror)
    score, reason = (answer.unlikeness.score, answer.unlikeness.reason) if answer.unlikeness else (None, "")
    if reason and settings.unlike == "refuse":
        raise _RefusedError(f"{file}: {reason}; it was left out (--unlike refuse)")
    if reason:
        log.warning("%s: %s; %s", file, reason, _MAY_BE_WRONG)
    name = file.relative_to(keys.folder).as_posix()
    before = len(files.faults)
    written = files.add(case, answer.masks, grey, file_name=name, source=file)
    record = {
        "row": [
            keys.sides.get(case, ""),
            int(mirror),
            "" if score is None else f"{score:.2f}",
            "" if score is None else int(score > 1),
            burned_in,
            reason,
        ],
        "faults": files.faults[before:],
        "runs": asdict(encode_image(name, answer.masks)) if files.needs_runs else None,
    }
    folders = [f"masks/{case}"] if "png" in settings.formats else []
    state.remember(case, key, [*written, *folders], record)
    return record


def _burned_in(file: Path) -> str:
    """What a DICOM file says of text in its pixels: '1', '0', or '' for nothing; 1 is logged as a warning."""
    code = dicom_codes(file, ["BurnedInAnnotation"])["BurnedInAnnotation"] if is_dicom(file) else ""
    if code == "YES":
        log.warning(
            "%s: BurnedInAnnotation is YES: text in its pixels may name the patient; check the image, and "
            "its overlay, before you share them",
            file,
        )
    return {"YES": "1", "NO": "0"}.get(code, "")


def _check_unlike(model: Model, unlike: str) -> None:
    if unlike not in UNLIKE:
        raise InputError(f"--unlike {unlike}: is unknown; choose from {', '.join(UNLIKE)}")
    if model.training_look is None:
        missing = (
            "the model file does not say what its training images look like (there were fewer than "
            f"{FEWEST}, or an older samcarry wrote it)"
        )
        if unlike == "refuse":
            raise InputError(f"--unlike refuse: {missing}; leave the option out, and look at every mask")
        log.warning("%s: images unlike them are not noticed", missing)


def _write_record(path: Path, model: Model, record: dict[str, object]) -> None:
    """Write predict.json: versions, settings and cases."""
    origin = {"samcarry": __version__, "model_sha256": model.sha256, "overlap_rule": OVERLAP_RULE}
    write_text(path, json.dumps({**origin, **record}, ensure_ascii=False, indent=1))


def _check_out(images: Path, out: Path, overwrite: bool) -> None:
    """Refuse an output folder if writing it could destroy files of the user."""
    source = images.resolve()
    targets = [path.resolve() for path in (out, Path(f"{out}{SUFFIX}"))]
    if any(target.is_relative_to(source) or source.is_relative_to(target) for target in targets):
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
