"""The options of a prediction, and what is refused of them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from samcarry.errors import InputError
from samcarry.images.training_look import FEWEST
from samcarry.measure.shapes import Spacing
from samcarry.predict.models import Model
from samcarry.predict.promises import Asked
from samcarry.predict.unfinished import SUFFIX
from samcarry.storage.reading import reading

log = logging.getLogger(__name__)
RECORD = "predict.json"
"""The file that marks a folder as made by samcarry predict."""

UNLIKE = ("warn", "refuse")


@dataclass(frozen=True)
class Settings:
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


def check_spacing(spacing: Spacing | None) -> None:
    """Refuse a size of pixels in mm that is none."""
    if spacing is not None and not all(0 < side < float("inf") for side in spacing):
        raise InputError(f"--spacing {spacing}: is not a size in mm; give one or two numbers above 0")


def check_unlike(model: Model, unlike: str) -> None:
    """Refuse an unknown choice, and one that a model cannot keep."""
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


def check_out(images: Path, out: Path, overwrite: bool) -> None:
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
