"""Figures of single cases, stage by stage, and of training curves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.evaluation.formatting import format_dice
from samcarry.evaluation.summary import case_dice
from samcarry.images.colours import class_colours
from samcarry.prompting.prompts import Prompt
from samcarry.report.panels import filled_columns
from samcarry.storage.files import atomic

STAGES = {
    "reference": "reference",
    "unet": "P (unet)",
    "cleaned": "cleaned P, prompts",
    "unet_sam": "R (unet_sam)",
    "unet_sam_zoom": "R on crops (unet_sam_zoom)",
    "ours_p": "ours_p",
    "ours_r": "ours_r",
    "fixmatch": "fixmatch",
    "ours_best": "ours_best",
}


@dataclass(frozen=True)
class CaseView:
    """What figures show of one case.

    Attributes:
        case: its name.
        image: grey values (height, width).
        masks: masks (class, height, width) by stage.
        prompts: the prompts of each class; None for absent classes.
        shape: (height, width) of the user's own image, in whose aspect it is shown; None shows it as it is.
    """

    case: str
    image: NDArray[np.uint8]
    masks: Mapping[str, NDArray[np.bool_]]
    prompts: Sequence[Prompt | None]
    shape: tuple[int, int] | None = None

    @property
    def aspect(self) -> float:
        """Width over height, as shown."""
        height, width = self.shape or self.image.shape
        return width / height


MANY_CLASSES = 12
"""Pictures with more classes are drawn larger."""


def panel_size(aspect: float, classes: int) -> tuple[float, float]:
    """(width, height) in inches of the picture of a case; wide images get as much area as tall ones."""
    area = 8.0 * (1.5 if classes > MANY_CLASSES else 1)
    width = min(6.5, max(1.6, math.sqrt(area * aspect)))
    return width, width / aspect


def columns_for(panels: int, width: float) -> int:
    """How many panels of a width in inches stand side by side, so that lines are about equally long."""
    lines = math.ceil(panels / max(1, int(_PAGE_WIDTH // width)))
    return math.ceil(panels / lines)


_PAGE_WIDTH = 20.0  # inches


def spread_over_ranks(ranking: Sequence[str], count: int) -> list[str]:
    """`count` cases of a ranking, evenly spaced from the best to the worst, both included."""
    places = np.linspace(0, len(ranking) - 1, min(count, len(ranking))).round().astype(int)
    return [ranking[place] for place in places]


def draw_cases(
    path: str | Path, views: Sequence[CaseView], classes: Sequence[str], ranked_by: str, seed: int
) -> None:
    """Draw one row per case and one column per available stage, with contours and Dice.

    Args:
        path: the output file.
        views: the cases.
        classes: class names for the legend.
        ranked_by: id of the method by which cases are ranked.
        seed: seed of the predictions.
    """
    stages = {stage: title for stage, title in STAGES.items() if all(stage in view.masks for view in views)}
    panels = len(stages) + 1
    # One size for all cases: the usual aspect.
    aspect = float(np.median([view.aspect for view in views])) if views else 1.0
    wide, high = panel_size(aspect, len(classes))
    columns = columns_for(panels, wide)
    lines = math.ceil(panels / columns)
    legend = min(8 if columns * wide > 12 else 5, max(1, len(classes)))
    figure = Figure(
        figsize=(
            columns * wide,
            max(1, len(views)) * lines * (high + 0.42) + 0.4 + 0.18 * len(classes) / legend,
        ),
        layout="constrained",
        dpi=110,
    )
    axes = figure.subplots(max(1, len(views)) * lines, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    colours = class_colours(len(classes))
    for first, view in enumerate(views):
        panel = iter(axes[first * lines : (first + 1) * lines].flat)
        _show(next(panel), view.image, view.case, view.aspect)
        for axis, (stage, title) in zip(panel, stages.items(), strict=False):
            masks = view.masks[stage]
            score = "" if stage == "reference" else format_dice(view.masks["reference"], masks)
            _show(axis, view.image, f"{title}\n{score}".strip(), view.aspect)
            _contours(axis, masks, colours)
            if stage == "cleaned":
                _prompts(axis, view.prompts, colours)
    handles = [mpl.lines.Line2D([], [], color=colour) for colour in colours]
    figure.legend(handles, classes, loc="outside lower center", ncols=legend, fontsize=8, frameon=False)
    figure.suptitle(
        f"From the best to the worst case of {ranked_by}, seed {seed}; "
        "Dice in %, mean ± standard deviation over classes",
        fontsize=10,
    )
    with atomic(path) as private:
        figure.savefig(private)


def rank_cases(rows: pd.DataFrame, method: str) -> list[str]:
    """Cases from the best to the worst Dice of a method, averaged over seeds; ties are ordered by name.

    Raises:
        InputError: dice.csv has no rows of this method.
    """
    if method not in set(rows["method"]):
        raise InputError(f"dice.csv has no rows of '{method}', by which cases are ranked: add it to methods")
    scores = case_dice(rows)[method].dropna()
    return [str(case) for case in scores.sort_values(ascending=False, kind="stable").index]


def best_median_worst(ranking: Sequence[str]) -> dict[str, str]:
    """The first, the middle and the last case of a ranking; of two middle cases, the better one.

    Raises:
        InputError: the ranking is empty.
    """
    if not ranking:
        raise InputError(
            "no case has a Dice to rank by: check the labels of the test split (of val if there is no test)"
        )
    return {"best": ranking[0], "median": ranking[(len(ranking) - 1) // 2], "worst": ranking[-1]}


def draw_qualitative(
    path: str | Path, view: CaseView, classes: Sequence[str], titles: Mapping[str, str], heading: str
) -> None:
    """Draw one case as in the paper's Fig. 3: contours of the reference and of each method.

    The name of the method and its Dice (in percent, mean ± standard deviation over classes) are below each
    picture.

    Args:
        path: the output file, with 300 dots per inch.
        view: the case; `masks` contains 'reference' and all keys of `titles`.
        classes: class names for the legend.
        titles: {id: name below the picture}, in the order of the pictures.
        heading: title of the figure.
    """
    stages = {"reference": "reference", **titles}
    wide = max(1.7, min(4.2, 2.6 * math.sqrt(view.aspect)))
    columns = filled_columns(len(stages), 4 if wide < 2.6 else 3)
    lines = math.ceil(len(stages) / columns)
    name_width = 0.4 + 0.05 * max((len(name) for name in classes), default=0)
    legend_columns = max(1, int(columns * wide / name_width))
    legend_height = 0.13 * math.ceil(len(classes) / legend_columns) + 0.1
    size = (columns * wide, lines * (wide / view.aspect + 0.36) + 0.25 + legend_height)
    figure = Figure(figsize=size, layout="constrained", dpi=300)
    axes = figure.subplots(lines, columns, squeeze=False)
    for axis in list(axes.flat)[len(stages) :]:
        axis.set_axis_off()
    colours = class_colours(len(classes))
    for axis, (stage, title) in zip(axes.flat, stages.items(), strict=False):
        _show(axis, view.image, "", view.aspect)
        _contours(axis, view.masks[stage], colours)
        score = "" if stage == "reference" else format_dice(view.masks["reference"], view.masks[stage])
        axis.set_axis_on()
        axis.set(xticks=[], yticks=[])
        axis.set_xlabel(f"{title}\n{score}".strip(), fontsize=8)
    handles = [mpl.lines.Line2D([], [], color=colour) for colour in colours]
    figure.legend(
        handles,
        classes,
        loc="outside lower center",
        ncols=legend_columns,
        fontsize=6.5,
        labelspacing=0.2,
        handlelength=1.2,
        frameon=False,
    )
    figure.suptitle(heading, fontsize=8)
    with atomic(path) as private:
        figure.savefig(private, bbox_inches="tight", pad_inches=0.05)


def draw_training(path: str | Path, curves: Mapping[str, pd.DataFrame]) -> None:
    """Draw the loss over iterations, one panel per network.

    Args:
        path: the output file.
        curves: {'<seed>/<network>': table with the columns iteration and loss}.
    """
    networks = sorted({name.partition("/")[2] for name in curves})
    figure = Figure(figsize=(3.4 * len(networks), 3), layout="constrained", dpi=110)
    axes = figure.subplots(1, len(networks), sharey=True, squeeze=False)[0]
    for axis, network in zip(axes, networks, strict=True):
        for name, curve in curves.items():
            seed, _, of_curve = name.partition("/")
            if of_curve == network:
                axis.plot(curve["iteration"], curve["loss"], label=seed, linewidth=1)
        axis.set(title=network, xlabel="iteration", yscale="log")
    axes[0].set_ylabel("loss")
    axes[0].legend(fontsize=8, frameon=False)
    with atomic(path) as private:
        figure.savefig(private)


def _show(axis: Axes, image: NDArray[np.uint8], title: str, aspect: float) -> None:
    """Show an image; `aspect` is the width over the height of its picture."""
    height, width = image.shape
    axis.imshow(
        image,
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=(0, width, height, 0),
        aspect=width / height / aspect,  # how high a unit of y is drawn, in units of x
    )
    axis.set_title(title, fontsize=8)
    axis.set_axis_off()


def _contours(axis: Axes, masks: NDArray[np.bool_], colours: Sequence) -> None:
    height, width = masks.shape[1:]
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    for mask, colour in zip(masks, colours, strict=True):
        if mask.any():
            axis.contour(x, y, mask, levels=[0.5], colors=[colour], linewidths=0.9)


def _prompts(axis: Axes, prompts: Sequence[Prompt | None], colours: Sequence) -> None:
    for prompt, colour in zip(prompts, colours, strict=True):
        if prompt is not None:
            x0, y0, x1, y1 = prompt.box
            box = mpl.patches.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour)
            box.set(linewidth=0.7, linestyle=":")
            axis.add_patch(box)
            axis.plot(*prompt.positive, ".", color=colour, markersize=4)
