"""What predict says and writes about how sure a calibrated model is of an image."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.confidence.calibration import calibrated, calibrated_values
from samcarry.confidence.conformal import patients_needed, promised, why_not
from samcarry.confidence.contours import contour_levels, inner_mask, outer_mask
from samcarry.confidence.fitted import ClassConfidence, dice_at_least, expected_case_dice
from samcarry.confidence.measures import count_drawn, expected_dice
from samcarry.confidence.shown import OUTSIDE
from samcarry.errors import InputError
from samcarry.images.grey import resize_grey, write_grey
from samcarry.images.masks import write_mask
from samcarry.predict.models import Model
from samcarry.storage.probabilities import foreground

log = logging.getLogger(__name__)

TABLE = "confidence.csv"
COLUMNS = (
    *("file", "case", "class", "drawn", "probability", "dice_expected", "dice_at_least", "coverage"),
    *("outer", "inner", "remark"),
)
"""The columns of confidence.csv: one row for each image and class."""

OUTSIDE_REASON = "outside of what this model was shown"
UNCALIBRATED = (
    "this model was not calibrated; use the file calibrated.safetensors beside it, which the workflow makes "
    "from labelled validation images (docs/confidence.md)"
)


@dataclass(frozen=True)
class Asked:
    """What the user asks for.

    Attributes:
        coverage: the share of patients for whom contours and bounds of Dice are promised; None = none are.
        probabilities: whether calibrated probabilities are written.
    """

    coverage: float | None = None
    probabilities: bool = False


def check_asked(model: Model, asked: Asked, *, window: tuple[float, float] | None, tta: bool) -> None:
    """Refuse what a model cannot give.

    Args:
        model: the model.
        asked: what the user asks for.
        window: the window of grey values that is used.
        tta: whether the mean over several views is predicted.

    Raises:
        InputError: the model was not calibrated, or would be used in another way than it was calibrated.
    """
    if asked.coverage is None and not asked.probabilities:
        return
    if model.confidence is None:
        option = "--probabilities" if asked.coverage is None else "--coverage"
        raise InputError(f"{option}: {UNCALIBRATED}")
    if asked.coverage is None:
        return
    if not 0 < asked.coverage < 1:
        raise InputError(f"--coverage {asked.coverage:g}: is not between 0 and 1; write 0.9, for example")
    if model.presence is not None:
        raise InputError(
            "--coverage: nothing can be promised of a model that removes classes; use calibrated.safetensors "
            "in the folder above"
        )
    if tta or window != model.window:
        option = "--tta" if tta else "--window"
        raise InputError(f"--coverage: nothing can be promised with {option}; leave one of the two out")
    fitted = dict(zip(model.classes, model.confidence.classes, strict=True))
    short = [name for name, one in fitted.items() if why_not(one.outer, asked.coverage)]
    if short:
        log.warning(
            "--coverage %g: cannot promise for %d of %d classes: needs at least %d validation patients, "
            "%s has %d",
            *(asked.coverage, len(short), len(fitted), patients_needed(asked.coverage)),
            *(short[0], len(fitted[short[0]].outer)),
        )


@dataclass(frozen=True)
class Sureness:
    """What a model says of an image.

    Attributes:
        p_value: that of "the image is like those that the network was shown", 0..1; None if it is not known.
        dice_at_least: the lower bound of the mean Dice; None without a promise.
        rows: the rows of confidence.csv without the columns `file` and `case`.
        written: the files written, relative to the folder.
    """

    p_value: float | None = None
    dice_at_least: float | None = None
    rows: tuple[tuple[Any, ...], ...] = ()
    written: tuple[str, ...] = ()

    @property
    def outside(self) -> bool:
        """Whether the image is outside of what the network was shown."""
        return self.p_value is not None and self.p_value <= OUTSIDE


def how_like(model: Model, prepared: NDArray[np.uint8]) -> float | None:
    """The p value of `Sureness` of a prepared image (height, width)."""
    shown = model.confidence.shown if model.confidence else None
    if shown is None or model.features is None:
        return None
    return shown.p_value(model.features(prepared[None])[0])


def write_sureness(
    folder: Path,
    case: str,
    model: Model,
    values: NDArray[np.uint8],
    shape: tuple[int, ...],
    *,
    p_value: float | None,
    asked: Asked,
) -> Sureness:
    """Write what is asked for of one image, and return what tables say of it.

    Args:
        folder: of the results; outer/, inner/ and probabilities/ are written below it.
        case: the name of its files.
        model: the model.
        values: probabilities times 255 (class, height, width) at network size, in the image's orientation.
        shape: height and width of the image.
        p_value: from `how_like`.
        asked: what the user asks for.
    """
    if model.confidence is None:
        return Sureness()
    outside = Sureness(p_value).outside
    size = (shape[0], shape[1])
    written: list[str] = []
    rows, expected = [], []

    def write(kind: str, name: str, pixels: NDArray[Any]) -> None:
        written.append(f"{kind}/{case}/{name}.png")
        (write_mask if pixels.dtype == bool else write_grey)(folder / written[-1], pixels)

    for name, own, fitted in zip(model.classes, values, model.confidence.classes, strict=True):
        levels = calibrated(fitted.temperature)
        drawn = bool(foreground(own).any())
        expected.append(expected_dice(count_drawn(own), levels))
        if asked.probabilities:
            write("probabilities", name, calibrated_values(fitted.temperature)[resize_grey(own, *size)])
        limits, remark = _limits(fitted, asked.coverage, drawn=drawn, outside=outside)
        bound = None
        if limits is not None:
            outer, inner = limits
            shifted = contour_levels(own, *size)
            write("outer", name, outer_mask(shifted, outer))
            write("inner", name, inner_mask(shifted, inner))
        if asked.coverage is not None and drawn and not outside:
            bound = dice_at_least(expected[-1], fitted.excess, asked.coverage)
        rows.append(
            (
                name,
                int(drawn),
                f"{levels[own.max()]:.4f}",
                f"{expected[-1]:.4f}" if drawn else "",
                "" if bound is None else f"{bound:.4f}",
                "" if asked.coverage is None else f"{asked.coverage:g}",
                *(("", "") if limits is None else (f"{limits[0]:.2f}", f"{limits[1]:.2f}")),
                remark,
            )
        )
    of_case = None
    if asked.coverage is not None and not outside:
        of_case = dice_at_least(expected_case_dice(expected), model.confidence.excess, asked.coverage)
    return Sureness(p_value, of_case, tuple(rows), tuple(written))


def _limits(
    fitted: ClassConfidence, coverage: float | None, *, drawn: bool, outside: bool
) -> tuple[tuple[float, float] | None, str]:
    """The outer and the inner shift of a class, and why there are none."""
    if coverage is None:
        return None, ""
    if outside:
        return None, f"nothing is promised: the image is {OUTSIDE_REASON}"
    if not drawn:
        return None, f"not drawn: nothing is promised; {_missed(fitted)}"
    outer, inner = promised(fitted.outer, coverage), promised(fitted.inner, coverage)
    if outer is None or inner is None:
        return None, why_not(fitted.outer, coverage)
    return (outer, inner), ""


def _missed(fitted: ClassConfidence) -> str:
    return f"the network missed it in {fitted.missed} of {len(fitted.excess)} validation patients who have it"
