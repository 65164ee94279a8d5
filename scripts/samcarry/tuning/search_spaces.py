"""Search spaces for the settings of SAM, MedSAM and the random walk (paper §3.1).

A space always contains the settings of the config, which are tried first; its ranges are widened if needed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from samcarry.prompting.cleaning import CleaningSettings, structuring_element

Settings = dict[str, Any]
"""{parameter: value} without blocks. Draws with the same effect lead to equal settings."""

FIRST = ("box", "pos", "pos+neg")
SECOND = ("box", "pos", "pos+neg", "mask", None)
ELEMENTS = ("square", "disk", "diamond", "star")


@dataclass(frozen=True)
class Space:
    """What the sampler draws, and the settings that a draw stands for."""

    distributions: Mapping[str, BaseDistribution]
    default: Mapping[str, Any]  # the draw that stands for the config's own settings
    settings_of: Callable[[Mapping[str, Any]], Settings]


def sam_space(default: CleaningSettings, first: str, second: str | None, max_radius: int) -> Space:
    """Space of SAM: prompts of both passes (the second pass may be absent), and the cleaning."""
    cleaning = medsam_space(default, max_radius)

    def settings_of(draw: Mapping[str, Any]) -> Settings:
        return {"first": draw["first"], "second": draw["second"], **cleaning.settings_of(draw)}

    passes = {
        "first": CategoricalDistribution(_with(FIRST, first)),
        "second": CategoricalDistribution(_with(SECOND, second)),
    }
    draw = {"first": first, "second": second, **cleaning.default}
    return Space({**passes, **cleaning.distributions}, draw, settings_of)


def medsam_space(default: CleaningSettings, max_radius: int) -> Space:
    """Space of MedSAM: operation, element and radius of the cleaning.

    Operation and radius are drawn as one number, `growth`: positive for a dilation by that radius, negative
    for an erosion, 0 for neither. A small erosion is then next to a small dilation. All trials have the same
    parameters, so the sampler can model element, operation and radius jointly.
    """
    growth = {"none": 0, "dilation": default.radius, "erosion": -default.radius}[default.operation]
    furthest = max(max_radius, abs(growth))
    distributions = {
        "element": CategoricalDistribution(ELEMENTS),
        "growth": IntDistribution(-furthest, furthest),
    }
    return Space(distributions, {"element": default.element, "growth": growth}, _cleaning_of)


def random_walk_space(
    default: Mapping[str, Any], max_background_erosion: int, max_mask_erosion: int, max_sigma: float
) -> Space:
    """Space of the random walk: background erosion from 1 px, mask erosion from 0 px, sigma from 1 up.

    Sigma is drawn on a log scale because it divides a difference of grey values: a step from 1 to 2 changes
    the weights as much as a step from 10 to 20.
    """
    background, mask, sigma = (default[k] for k in ("background_erosion", "mask_erosion", "sigma"))
    distributions = {
        "background_erosion": IntDistribution(min(1, background), max(max_background_erosion, background)),
        "mask_erosion": IntDistribution(0, max(max_mask_erosion, mask)),
        "sigma": FloatDistribution(min(1.0, sigma), max(float(max_sigma), sigma), log=True),
    }

    def settings_of(draw: Mapping[str, Any]) -> Settings:
        # Three significant digits are enough, and easier to read.
        return {**draw, "sigma": float(f"{draw['sigma']:.3g}")}

    draw = {"background_erosion": background, "mask_erosion": mask, "sigma": float(sigma)}
    return Space(distributions, draw, settings_of)


def cleaning_of(settings: Mapping[str, Any]) -> CleaningSettings:
    """The cleaning in settings without blocks."""
    return CleaningSettings(settings["operation"], settings["element"] or "square", settings["radius"])


def _cleaning_of(draw: Mapping[str, Any]) -> Settings:
    growth = draw["growth"]
    # A square of radius 1 is one pixel and changes nothing.
    if structuring_element(draw["element"], abs(growth)).size == 1:
        return {"operation": "none", "element": None, "radius": 0}
    operation = "dilation" if growth > 0 else "erosion"
    return {"operation": operation, "element": draw["element"], "radius": abs(growth)}


def _with(choices: tuple[str | None, ...], own: str | None) -> tuple[str | None, ...]:
    return choices if own in choices else (*choices, own)
