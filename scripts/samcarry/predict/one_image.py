"""One new image: what a network says of it, and the files that are written of this."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry import __version__
from samcarry.confidence.calibration import calibrated_values
from samcarry.confidence.shown import OUTSIDE
from samcarry.errors import InputError
from samcarry.formats.writers import MaskWriter
from samcarry.geometry.run_lengths import encode_image
from samcarry.images.dicom import burned_in_code, dicom_pixel_size, is_dicom
from samcarry.images.text import read_shown
from samcarry.measure.expressions import parse_expressions
from samcarry.measure.shapes import Spacing
from samcarry.measure.table import measure_image, measured_as_json
from samcarry.predict.arrays import MAY_BE_WRONG, Answer, predict_grey
from samcarry.predict.laterality import side_to_mirror
from samcarry.predict.models import Model
from samcarry.predict.options import Settings
from samcarry.predict.promises import OUTSIDE_REASON, how_like, write_sureness
from samcarry.predict.unfinished import Unfinished
from samcarry.storage.files import sha256
from samcarry.storage.reading import reading

log = logging.getLogger(__name__)


class RefusedError(InputError):
    """An image is unlike the training images and was left out."""


@dataclass(frozen=True)
class Keys:
    """All that the results of an image depend on."""

    model: Model
    settings: Settings
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


@dataclass(frozen=True)
class Seen:
    """An image that the network has seen.

    Attributes:
        case: the name of its files.
        file: the user's file.
        key: from `Keys.of`.
        grey: its grey values, (height, width), with the lines of text filled that the network did not see.
        answer: what the network says of it.
        p_value: from `promises.how_like`.
        burned_in: what a DICOM file says of text in its pixels, as in images.csv.
        remark: how it is unlike the training images; '' if it is like them.
    """

    case: str
    file: Path
    key: str
    grey: NDArray[np.uint8]
    answer: Answer
    p_value: float | None
    burned_in: str
    remark: str


def look_at(keys: Keys, case: str, file: Path) -> Seen:
    """Read an image, and let the network see it.

    Raises:
        InputError: it cannot be read, or is unlike the training images and therefore refused.
    """
    model, settings = keys.model, keys.settings
    key = keys.of(case, file)
    burned_in = _burned_in(file)
    shown, filled = read_shown(file, settings.window, model.text_masked)
    answer = predict_grey(model, shown, settings.one_component, keys.mirror(case), settings.tta)
    reason = answer.unlikeness.reason if answer.unlikeness else ""
    p_value = how_like(model, answer.prepared)
    if p_value is not None and p_value <= OUTSIDE:
        reason = "; ".join(filter(None, [reason, f"{OUTSIDE_REASON} (p = {p_value:.3f})"]))
    if reason and settings.unlike == "refuse":
        raise RefusedError(f"{file}: {reason}; it was left out (--unlike refuse)")
    if reason:
        log.warning("%s: %s; %s", file, reason, MAY_BE_WRONG)
    if filled:
        log.info(
            "%s: lines of text are filled with grey, as in the training images, for the network and in all "
            "pictures: %d",
            file,
            len(filled),
        )
    return Seen(case, file, key, shown, answer, p_value, burned_in, reason)


def write_files(keys: Keys, seen: Seen, files: MaskWriter, state: Unfinished) -> dict[str, Any]:
    """Measure the masks of an image, and write all its files.

    Returns:
        What images.csv and a later call have to know of it.
    """
    model, settings, answer = keys.model, keys.settings, seen.answer
    case, file = seen.case, seen.file
    score = answer.unlikeness.score if answer.unlikeness else None
    name = file.relative_to(keys.folder).as_posix()
    before = len(files.faults)
    spacing, spacing_from = _pixel_size(file, settings.spacing)
    written = files.add(case, answer.masks, seen.grey, file_name=name, source=file, spacing=spacing)
    sure = write_sureness(
        files.folder,
        case,
        model,
        answer.probabilities,
        seen.grey.shape,
        p_value=seen.p_value,
        asked=settings.asked,
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
            int(keys.mirror(case)),
            "" if score is None else f"{score:.2f}",
            "" if score is None else int(score > 1),
            "" if seen.p_value is None else f"{seen.p_value:.4f}",
            "" if seen.p_value is None else int(sure.outside),
            "" if sure.dice_at_least is None else f"{sure.dice_at_least:.4f}",
            seen.burned_in,
            *(f"{side:.6g}" for side in spacing or ()),
            *(() if spacing else ("", "")),
            spacing_from,
            ";".join(answer.absent),
            seen.remark,
        ],
        "sure": sure.rows,
        "measured": measured_as_json(measured),
        "faults": files.faults[before:],
        "runs": asdict(encode_image(name, answer.masks)) if files.needs_runs else None,
    }
    folders = [f"masks/{case}"] if "png" in settings.formats else []
    state.remember(case, seen.key, [*written, *sure.written, *folders], record)
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
