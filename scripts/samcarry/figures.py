"""Pictures for people: cases stage by stage, and training curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from samcarry.files import atomic
from samcarry.metrics import dice
from samcarry.prompts import Prompt

STAGES = {
    "reference": "reference",
    "unet": "P (unet)",
    "cleaned": "cleaned P, prompts",
    "unet_sam": "R (unet_sam)",
    "ours_p": "ours_p",
    "ours_r": "ours_r",
}


@dataclass(frozen=True)
class CaseView:
    """One case: grey image (height, width), masks (class, height, width) by stage, prompts."""

    case: str
    image: NDArray[np.uint8]
    masks: Mapping[str, NDArray[np.bool_]]
    prompts: Sequence[Prompt | None]


def spread_over_ranks(ranking: Sequence[str], count: int) -> list[str]:
    """`count` cases from best to worst, evenly spread over a ranking, ends included."""
    places = np.linspace(0, len(ranking) - 1, min(count, len(ranking))).round().astype(int)
    return [ranking[place] for place in places]


def draw_cases(path: str | Path, views: Sequence[CaseView], classes: Sequence[str], seed: int) -> None:
    """One row a case, one column a stage, contours of all classes over the image, Dice above."""
    height, width = views[0].image.shape if views else (1, 1)
    columns = len(STAGES) + 1
    figure = Figure(
        figsize=(2.3 * columns, max(1, len(views)) * 2.5 * height / width + 0.9),
        layout="constrained",
        dpi=110,
    )
    axes = figure.subplots(max(1, len(views)), columns, squeeze=False)
    colours = class_colours(len(classes))
    for row, view in zip(axes, views, strict=False):
        _show(row[0], view.image, view.case)
        for axis, (stage, title) in zip(row[1:], STAGES.items(), strict=True):
            masks = view.masks[stage]
            score = "" if stage == "reference" else _scores(view.masks["reference"], masks)
            _show(axis, view.image, f"{title}{score}")
            _contours(axis, masks, colours)
            if stage == "cleaned":
                _prompts(axis, view.prompts, colours)
    handles = [mpl.lines.Line2D([], [], color=colour) for colour in colours]
    figure.legend(handles, classes, loc="outside lower center", ncols=8, fontsize=8, frameon=False)
    figure.suptitle(
        f"From the best to the worst case of ours_r, seed {seed}; Dice mean ± deviation over classes",
        fontsize=10,
    )
    with atomic(path) as private:
        figure.savefig(private)


def draw_training(path: str | Path, curves: Mapping[str, pd.DataFrame]) -> None:
    """Loss over iterations of each network; `curves` is keyed by '<seed>/<network>'."""
    networks = sorted({name.split("/")[1] for name in curves})
    figure = Figure(figsize=(3.4 * len(networks), 3), layout="constrained", dpi=110)
    axes = figure.subplots(1, len(networks), sharey=True, squeeze=False)[0]
    for axis, network in zip(axes, networks, strict=True):
        for name, curve in curves.items():
            if name.split("/")[1] == network:
                axis.plot(curve["iteration"], curve["loss"], label=name.split("/")[0], linewidth=1)
        axis.set(title=network, xlabel="iteration", yscale="log")
    axes[0].set_ylabel("weighted BCE")
    axes[0].legend(fontsize=8, frameon=False)
    with atomic(path) as private:
        figure.savefig(private)


def class_colours(count: int) -> list[tuple[float, float, float, float]]:
    """Colours that neighbouring classes are told apart by on grey."""
    return [mpl.colormaps["hsv"]((index * 0.618) % 1) for index in range(count)]


def _show(axis: Axes, image: NDArray[np.uint8], title: str) -> None:
    height, width = image.shape
    axis.imshow(image, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
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


def _scores(reference: NDArray[np.bool_], masks: NDArray[np.bool_]) -> str:
    pairs = (dice(r, m) for r, m in zip(reference, masks, strict=True))
    values = [100 * value for value in pairs if value is not None]
    return f"\n{np.mean(values):.1f} ± {np.std(values):.1f}" if values else ""
