"""Predictions of a trained model on new images, as files of one folder to files of another."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from samcarry import __version__
from samcarry.confidence.calibration import calibrated_values
from samcarry.confidence.shown import OUTSIDE
from samcarry.data.user_files import by_name, composed, image_name, visible_files
from samcarry.errors import InputError, shortlist
from samcarry.formats import FORMATS
from samcarry.formats.writers import OVERLAP_RULE, MaskWriter
from samcarry.geometry.run_lengths import encode_image, image_from_json
from samcarry.images import IMAGE_SUFFIXES
from samcarry.images.dicom import burned_in_code, dicom_pixel_size, is_dicom, other_dicom_object
from samcarry.images.grey import read_grey
from samcarry.images.training_look import FEWEST
from samcarry.measure.expressions import parse_expressions
from samcarry.measure.intervals import COVERAGE
from samcarry.measure.shapes import Spacing
from samcarry.measure.table import (
    Measured,
    measure_image,
    measured_as_json,
    measured_from_json,
    write_measurements,
)
from samcarry.predict import promises
from samcarry.predict.arrays import MAY_BE_WRONG, predict_grey
from samcarry.predict.laterality import NONE, check_laterality, find_sides, side_to_mirror
from samcarry.predict.models import Model
from samcarry.predict.promises import OUTSIDE_REASON, Asked, check_asked, how_like, write_sureness
from samcarry.predict.unfinished import SUFFIX, Unfinished, unfinished
from samcarry.runtime.progress import progress
from samcarry.storage.files import sha256, write_text
from samcarry.storage.reading import reading
from samcarry.storage.tables import write_table

log = logging.getLogger(__name__)
RECORD = "predict.json"
"""The file that marks a folder as made by samcarry predict."""

TABLE = "images.csv"
MEASUREMENTS = "measurements.csv"
COLUMNS = (
    *("file", "case", "predicted", "side", "mirrored", "unlikeness", "unlike", "p_like", "outside"),
    *("dice_at_least", "burned_in", "row_mm", "column_mm", "spacing_from", "absent", "remark"),
)
"""The columns of images.csv: one row for each image."""

UNLIKE = ("warn", "refuse")


def find_new_images(folder: str | Path) -> tuple[dict[str, Path], list[str]]:
    """{case: image file} of a folder and its subfolders, and one line for each image that is left out.

    `folder` may also be a single image. DICOM files without an image, such as the directory of a CD and
    reports, are skipped; their number is logged. A case is named after its file without the suffix, with its
    subfolders: 'monday/17'. DICOM files need no suffix. If two images have the same name, the second one is
    left out.

    Raises:
        InputError: there is no such folder or file, or it contains no images.
    """
    folder = Path(folder)
    faults: list[str] = []
    if folder.is_dir():
        files = visible_files(folder, faults)
    elif folder.is_file():
        files, folder = [folder], folder.parent
    else:
        raise InputError(
            f"{folder}: not found; give the path of the folder with your images, or of one image"
        )
    named, others = [], []
    without_image: Counter[str] = Counter()
    for file in files:
        known = image_name(file) is not None
        dicom = file.is_file() and is_dicom(file)
        if not known and not dicom:
            others.append(file.name)
            continue
        if dicom and (kind := other_dicom_object(file)):
            without_image[kind] += 1
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
    if without_image:
        kinds = ", ".join(f"{count} {kind}" for kind, count in without_image.most_common())
        log.warning("%s: skipped %d DICOM files without an image: %s", folder, without_image.total(), kinds)
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
    spacing: Spacing | None = None,
    measurements: Mapping[str, Any] | None = None,
    coverage: float | None = None,
    probabilities: bool = False,
    tta: bool = False,
) -> tuple[list[str], list[str]]:
    """Write masks of all images of a folder, as the command `samcarry predict` does.

    The output folder appears when prediction has finished. A call that is stopped leaves `<out>.unfinished`;
    the same call then goes on with the images that are missing. `images.csv` has a row for each image,
    `measurements.csv` one for each image and class (see `measure.table.write_measurements`), `classes.csv`
    lists the classes, and `predict.json` records the model and the settings.

    Args:
        model: a model from `load_model`.
        images: folder of PNG, JPEG, TIFF or DICOM files, whose subfolders are searched too; or one such file.
        out: the output folder, outside `images`.
        formats: what to write: 'png', 'labelmap', 'nifti', 'coco', 'cvat', 'yolo', 'segnrrd',
            'nnunet', 'dicomseg', 'overlay'.
        one_component: keep only the component of each class with the highest mean probability (Eq. 1).
        window: percentiles of the grey values that become black and white; None uses the model's window.
        laterality: how to find the side that an image shows, see `laterality.find_sides`; needed if images of
            one side were mirrored in training, and refused if not.
        unlike: what to do with images unlike the training images: 'warn', or 'refuse' to leave them out.
        overwrite: replace an existing `out`, if an earlier call made it.
        spacing: height and width of a pixel in mm, of images that do not say it.
        measurements: measurements between classes, see `measure.expressions.parse_expressions`; None takes
            those of the model.
        coverage: the share of patients, above 0 and below 1, for whom outer and inner masks and lower bounds
            of Dice are promised; needs a calibrated model. None = nothing is promised.
        probabilities: write calibrated probabilities too; needs a calibrated model.
        tta: predict the mean over slightly moved and scaled views, see `views`.

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
    if model.presence is not None and model.presence.fault:
        log.warning("no class is judged absent: %s", model.presence.fault)
    _check_out(images, out, overwrite)
    block = dict(model.measurements if measurements is None else measurements)
    expressions = parse_expressions(block, model.classes, "measurements")
    _check_spacing(spacing)
    found, faults = find_new_images(images)
    images = images if images.is_dir() else images.parent
    log.info("%d images; %d classes at %d x %d pixels", len(found), len(model.classes), *model.size)
    sides = {} if laterality in (None, NONE) else find_sides(laterality, found, images)
    settings = _Settings(
        tuple(formats),
        one_component,
        model.window if window is None else window,
        laterality,
        unlike,
        spacing,
        block,
        Asked(coverage, probabilities),
        tta,
    )
    check_asked(model, settings.asked, window=settings.window, tta=tta)
    if settings.window != model.window:
        log.warning("the window %s replaces that of the training images, %s", settings.window, model.window)
    done, rows = [], []
    sure: list[list[Any]] = []
    measured: list[tuple[str, str, Measured]] = []
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
                rest = [0, sides.get(case, ""), "", "", unlike_too, *[""] * 8, str(error)]
                rows.append([file.relative_to(images).as_posix(), case, *rest])
                continue
            faults += record["faults"]
            name = file.relative_to(images).as_posix()
            rows.append([name, case, 1, *record["row"]])
            sure += [[name, case, *row] for row in record["sure"]]
            measured.append((name, case, measured_from_json(record["measured"])))
            done.append(case)
        if not done:
            raise InputError(
                "\n".join([*faults, f"{images}: none of the images can be predicted; {out} was not written"])
            )
        if strange := sum(row[COLUMNS.index("unlike")] == 1 for row in rows):
            log.warning("%d of %d images are unlike the training images; see %s", strange, len(rows), TABLE)
        _warn_of_magnification(rows)
        files.finish()
        write_table(state.results / TABLE, COLUMNS, rows)
        if model.confidence is not None:
            write_table(state.results / promises.TABLE, promises.COLUMNS, sure)
        write_measurements(state.results / MEASUREMENTS, measured, model.classes, expressions)
        about = {**asdict(settings), "interval": COVERAGE, "cases": done, "left_out": faults}
        _write_record(state.results / RECORD, model, about)
    return done, faults


def read_measurements(path: str | Path) -> dict[str, Any]:
    """The block `measurements` of a YAML file, such as a config.

    Raises:
        InputError: the file is missing or not YAML, or has no such block.
    """
    with reading(path, by_rule=False):
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{place}: is not valid YAML; correct it") from None
    block = content.get("measurements") if isinstance(content, dict) else None
    if not isinstance(block, dict):
        raise InputError(f"{path}: has no key `measurements` with names and `between`; see docs/predict.md")
    return block


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
    spacing: Spacing | None
    measurements: Mapping[str, Any]
    asked: Asked
    tta: bool


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
    answer = predict_grey(model, grey, settings.one_component, mirror, settings.tta)
    score, reason = (answer.unlikeness.score, answer.unlikeness.reason) if answer.unlikeness else (None, "")
    p_value = how_like(model, answer.prepared)
    if p_value is not None and p_value <= OUTSIDE:
        reason = "; ".join(filter(None, [reason, f"{OUTSIDE_REASON} (p = {p_value:.3f})"]))
    if reason and settings.unlike == "refuse":
        raise _RefusedError(f"{file}: {reason}; it was left out (--unlike refuse)")
    if reason:
        log.warning("%s: %s; %s", file, reason, MAY_BE_WRONG)
    name = file.relative_to(keys.folder).as_posix()
    before = len(files.faults)
    spacing, spacing_from = _pixel_size(file, settings.spacing)
    written = files.add(case, answer.masks, grey, file_name=name, source=file, spacing=spacing)
    sure = write_sureness(
        files.folder, case, model, answer.probabilities, grey.shape, p_value=p_value, asked=settings.asked
    )
    expressions = parse_expressions(settings.measurements, model.classes, "measurements")
    probabilities = _calibrated(model, answer.probabilities)
    measured = measure_image(answer.masks, probabilities, model.classes, expressions, spacing)
    if f"dicomseg/{case}.dcm" in written:
        from samcarry.formats.dicom_sr import write_dicom_sr  # here, because it takes a second

        report, segmentation = (f"{folder}/{case}.dcm" for folder in ("dicomsr", "dicomseg"))
        try:
            write_dicom_sr(files.folder / report, file, files.folder / segmentation, measured, expressions)
            written.append(report)
        except InputError as error:  # the masks are as good without it
            files.faults.append(str(error))
    record = {
        "row": [
            keys.sides.get(case, ""),
            int(mirror),
            "" if score is None else f"{score:.2f}",
            "" if score is None else int(score > 1),
            "" if p_value is None else f"{p_value:.4f}",
            "" if p_value is None else int(sure.outside),
            "" if sure.dice_at_least is None else f"{sure.dice_at_least:.4f}",
            burned_in,
            *(f"{side:.6g}" for side in spacing or ()),
            *(() if spacing else ("", "")),
            spacing_from,
            ";".join(answer.absent),
            reason,
        ],
        "sure": sure.rows,
        "measured": measured_as_json(measured),
        "faults": files.faults[before:],
        "runs": asdict(encode_image(name, answer.masks)) if files.needs_runs else None,
    }
    folders = [f"masks/{case}"] if "png" in settings.formats else []
    state.remember(case, key, [*written, *sure.written, *folders], record)
    return record


def _burned_in(file: Path) -> str:
    """What a DICOM file says of text in its pixels: '1', '0', or '' for nothing; 1 is logged as a warning."""
    code = burned_in_code(file)
    if code == "YES":
        log.warning(
            "%s: BurnedInAnnotation is YES: text in its pixels may name the patient; check the image, and "
            "its overlay, before you share them",
            file,
        )
    return {"YES": "1", "NO": "0"}.get(code, "")


def _calibrated(model: Model, probabilities: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Probabilities (class, height, width), 0..255, as they are meant; unchanged without a calibration."""
    if model.confidence is None:
        return probabilities
    of_classes = zip(model.confidence.classes, probabilities, strict=True)
    return np.stack([calibrated_values(one.temperature)[values] for one, values in of_classes])


def _pixel_size(file: Path, given: Spacing | None) -> tuple[Spacing | None, str]:
    """Height and width of a pixel of an image in mm, and where they are from; None and '' if not known."""
    found = dicom_pixel_size(file) if is_dicom(file) else None
    if found is not None:
        return found
    return given, "--spacing" if given else ""


def _warn_of_magnification(rows: Sequence[Sequence[object]]) -> None:
    magnified = sum(row[COLUMNS.index("spacing_from")] == "ImagerPixelSpacing" for row in rows)
    if magnified:
        log.warning(
            "%d images give the size of a pixel at the detector (ImagerPixelSpacing), where the object "
            "appears magnified: their lengths in mm are larger than those of the object",
            magnified,
        )


def _check_spacing(spacing: Spacing | None) -> None:
    if spacing is not None and not all(0 < side < float("inf") for side in spacing):
        raise InputError(f"--spacing {spacing}: is not a size in mm; give one or two numbers above 0")


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
