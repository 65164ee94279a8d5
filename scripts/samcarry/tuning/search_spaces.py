"""Search spaces for the settings of SAM, MedSAM and the random walk (paper §3.1), and of SAM on crops.

A space always contains the settings of the config, which are tried first; its ranges are widened if needed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from samcarry.prompting.cleaning import CleaningSettings, structuring_element

Settings = dict[str, Any]
"""{parameter: value} without blocks. Draws with the same effect lead to equal settings."""

Choice = str | float | None

FIRST = ("box", "pos", "pos+neg")
SECOND = ("box", "pos", "pos+neg", "mask", None)
ELEMENTS = ("square", "disk", "diamond", "star")
FIRST_ON_CROPS = ("box", "box+pos", "box+pos+neg")
SECOND_ON_CROPS = ("box", "pos+neg", "box+pos+neg", "mask", None)


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


def zoom_space(default: Mapping[str, Any], *, three_masks: bool) -> Space:
    """Space of SAM on crops: prompts of both passes, zoom, mask prompt, weight, and how many masks and boxes.

    The first pass always has a box, because a crop shows several objects. The cleaning is fixed, because the
    crops follow from the boxes of the cleaned masks.

    Args:
        default: the keys of a block of the config that are drawn, by name.
        three_masks: whether the model can propose three masks, which the tiny SAM cannot.
    """
    weights = fuse_weights(default["fuse"])
    distributions = {
        "first": CategoricalDistribution(_with(FIRST_ON_CROPS, default["first"])),
        "second": CategoricalDistribution(_with(SECOND_ON_CROPS, default["second"])),
        "zoom": CategoricalDistribution(_with((2, 3, 4), default["zoom"])),
        "prior": CategoricalDistribution(("none", "P")),
        "weight": IntDistribution(0, len(weights) - 1),
        "multimask": CategoricalDistribution((False, True) if three_masks else (False,)),
        "prompts": CategoricalDistribution(_with((1, 3), default["prompts"])),
    }

    def settings_of(draw: Mapping[str, Any]) -> Settings:
        return {key: weights[draw["weight"]] if key == "fuse" else draw[key] for key in order}

    order = ("first", "second", "zoom", "prior", "fuse", "multimask", "prompts")
    draw = {key: default[key] for key in order if key != "fuse"}
    return Space(distributions, {**draw, "weight": weights.index(default["fuse"])}, settings_of)


def fuse_weights(own: float) -> tuple[float, ...]:
    """The weights of SAM against P in ascending order: 0.3 to 1 in steps of 0.1, and the config's own."""
    return tuple(sorted({*(round(0.1 * step, 1) for step in range(3, 11)), own}))


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


def _with(choices: tuple[Choice, ...], own: Choice) -> tuple[Choice, ...]:
    return choices if own in choices else (*choices, own)
