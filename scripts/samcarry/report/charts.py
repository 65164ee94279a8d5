"""Plots: Dice over the number of labelled images (the paper's Fig. 2), and the trials of tuning."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from samcarry.evaluation.summary import case_dice
from samcarry.methods import method_of
from samcarry.report.panels import filled_columns
from samcarry.storage.files import atomic

# The colours of Okabe and Ito, which colour-blind readers can distinguish; markers help in grey prints.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = "osD^vPX*"


def draw_ablation(
    paths: Sequence[str | Path],
    rows: pd.DataFrame,
    methods: Sequence[str],
    names: Mapping[str, str],
    draws: pd.DataFrame | None = None,
) -> None:
    """Draw Dice over n as in the paper's Fig. 2: boxes over cases, and lines through the means.

    The seeds of a case are averaged first. The values of n are equally spaced. A method without rows for
    some n has no box there. Full supervision, which does not depend on n, is a dashed line.

    Args:
        paths: one file per format, for example .svg and .png.
        rows: the rows of dice.csv for all n.
        methods: ids in the order of the legend; methods without rows are left out.
        names: {id: name in the legend}.
        draws: table of `summarise_draws`; a thick bar then shows mean ± draw_std beside the box.
    """
    cases = {n: 100 * case_dice(group) for n, group in rows.groupby("n")}
    present = [method for method in methods if any(method in table for table in cases.values())]
    levels = [method for method in present if method_of(method).needs_hidden_labels]
    curves = [method for method in present if method not in levels]
    figure = Figure(figsize=(max(6.0, 1.2 + 0.95 * len(cases)), 4.6), layout="constrained", dpi=200)
    axis = figure.subplots()
    for place, method in enumerate(curves):
        offset = (place - (len(curves) - 1) / 2) * 0.8 / len(curves)
        columns = [table[method].dropna() if method in table else pd.Series() for table in cases.values()]
        style = (PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)])
        _boxes_and_means(axis, columns, offset, 0.64 / len(curves), style, names.get(method, method))
        if draws is not None:
            own = draws[draws["method"] == method]
            beside = [list(cases).index(n) + offset + 0.4 / len(curves) for n in own["n"]]
            bars = axis.errorbar(
                beside, own["mean"], own["draw_std"], fmt="none", ecolor=style[0], elinewidth=2.5
            )
            bars.lines[2][0].set_gid(f"draws-{method}")
    for method in levels:
        mean = pd.concat([table[method] for table in cases.values() if method in table]).mean()
        axis.axhline(mean, color="0.35", linestyle="--", linewidth=1, label=names.get(method, method))
    axis.set_xticks(range(len(cases)), [str(n) for n in cases])
    axis.set(xlabel="labelled training images n", ylabel="Dice in %", xlim=(-0.6, len(cases) - 0.4))
    axis.set_ylim(top=min(101, axis.get_ylim()[1]))
    axis.grid(axis="y", color="0.9")
    axis.set_axisbelow(True)
    if present:
        columns_of_legend = max(1, int(figure.get_figwidth() // 2))
        figure.legend(loc="outside upper center", ncols=columns_of_legend, frameon=False, fontsize=9)
    for path in paths:
        _save(figure, path)


def _boxes_and_means(
    axis: Axes, columns: Sequence[pd.Series], offset: float, width: float, style: tuple[str, str], label: str
) -> None:
    colour, marker = style
    filled = [place for place, values in enumerate(columns) if len(values)]
    boxes = axis.boxplot(
        [columns[place] for place in filled],
        positions=[place + offset for place in filled],
        widths=width,
        patch_artist=True,
        manage_ticks=False,
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": colour, "alpha": 0.6},
        medianprops={"color": colour, "linewidth": 1},
        whiskerprops={"color": colour, "linewidth": 0.8},
        capprops={"color": colour, "linewidth": 0.8},
    )
    for box in boxes["boxes"]:
        box.set(facecolor=mpl.colors.to_rgba(colour, 0.22), edgecolor=colour, linewidth=0.8)
    means = [columns[place].mean() for place in filled]
    places = [place + offset for place in filled]
    axis.plot(places, means, color=colour, marker=marker, markersize=5, linewidth=1.4, label=label, zorder=4)


def draw_ranks(path: str | Path, table: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Draw the share of bootstrap samples in which each method has each rank, the best method first.

    Args:
        path: the output file.
        table: table of `significance.rank_stability`.
        names: {id: name in the figure}.
    """
    table = table.sort_values("rank", kind="stable")
    shares = 100 * table.filter(regex="^rank_").to_numpy(dtype=float)
    count = len(table)
    figure = Figure(figsize=(3.4 + 0.52 * count, 1.3 + 0.36 * count), layout="constrained", dpi=150)
    axis = figure.subplots()
    if np.isfinite(shares).all() and count:
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            if share >= 0.5:
                colour = "white" if share > 55 else "black"
                axis.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=8)
    else:
        axis.text(0.5, 0.5, "too few patients", ha="center", va="center", transform=axis.transAxes)
    axis.set_xticks(range(count), [str(place + 1) for place in range(count)])
    axis.set_yticks(range(count), [names.get(method, method) for method in table["method"]])
    axis.set(xlabel="rank by mean Dice", title="share of bootstrap samples of patients, %")
    axis.title.set_fontsize(10)
    _save(figure, path)


def draw_tuning(path: str | Path, trials: pd.DataFrame, title: str) -> None:
    """Draw the gain of all trials for each parameter, with a star at the best trial.

    The first panel shows whether the search has settled. If two or more parameters are categorical, the last
    panel shows the best gain for each pair of the first two (for SAM: first and second pass).

    Args:
        path: the output file.
        trials: columns number, value (gain over f_θ in points of Dice) and one for each parameter. An empty
            value is the category 'none'; empty numbers are left out.
        title: title of the figure.
    """
    trials = trials.dropna(subset=["value"]).sort_values("number")
    parameters = parameters_of(trials)
    categories = [name for name in parameters if not _is_number(trials[name])]
    panels = 1 + len(parameters) + (len(categories) > 1)
    columns = filled_columns(panels, 3)
    lines = math.ceil(panels / columns)
    figure = Figure(figsize=(4.1 * columns, 3.2 * lines + 0.4), layout="constrained", dpi=150)
    axes = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axis in axes[panels:]:
        axis.remove()
    best = trials.iloc[int(trials["value"].argmax())] if len(trials) else None
    _draw_search(axes[0], trials)
    for axis, name in zip(axes[1:], parameters, strict=False):
        if name in categories:
            _draw_categories(axis, trials, name, best)
        else:
            _draw_numbers(axis, trials, name, best)
    for axis in axes[: panels - (len(categories) > 1) : columns]:
        axis.set_ylabel("gain over f_θ, points of Dice", fontsize=9)
    if len(categories) > 1:
        _draw_pairs(figure, axes[panels - 1], trials, categories[0], categories[1])
    figure.suptitle(title, fontsize=11)
    _save(figure, path)


def parameters_of(trials: pd.DataFrame) -> list[str]:
    """The columns of a table of trials that are parameters, in their order."""
    return [name for name in trials.columns if name not in ("number", "value", "cases")]


def _is_number(column: pd.Series) -> bool:
    is_numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return is_numeric and bool(column.notna().any())


def _categories(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), "none").astype(str)


def _draw_search(axis: Axes, trials: pd.DataFrame) -> None:
    axis.plot(trials["number"], trials["value"], ".", color="0.6", markersize=4)
    axis.step(trials["number"], trials["value"].cummax(), where="post", color=PALETTE[0], linewidth=1.5)
    axis.set(xlabel="trial", title="best so far")
    axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    _finish(axis)


def _draw_categories(axis: Axes, trials: pd.DataFrame, name: str, best: pd.Series | None) -> None:
    categories = _categories(trials[name])
    order = trials.groupby(categories)["value"].max().sort_values(ascending=False).index
    for place, category in enumerate(order):
        values = trials["value"][categories == category].to_numpy()
        axis.plot(place + _jitter(len(values)), values, ".", color=PALETTE[0], alpha=0.55, markersize=5)
        axis.hlines(np.median(values), place - 0.32, place + 0.32, color="black", linewidth=1.5, zorder=3)
    if best is not None:
        _star(axis, list(order).index(str(_categories(best[[name]]).iloc[0])), best["value"])
    counts = categories.value_counts()
    axis.set_xticks(
        range(len(order)),
        [f"{category} ({counts[category]})" for category in order],
        rotation=25 if len(order) > 3 else 0,
        ha="right" if len(order) > 3 else "center",
        fontsize=8,
    )
    axis.set(title=name, xlim=(-0.6, max(0.6, len(order) - 0.4)))
    _finish(axis)


def _draw_numbers(axis: Axes, trials: pd.DataFrame, name: str, best: pd.Series | None) -> None:
    known = trials.dropna(subset=[name])
    axis.plot(known[name], known["value"], ".", color=PALETTE[0], alpha=0.55, markersize=5)
    if best is not None and pd.notna(best[name]):
        _star(axis, best[name], best["value"])
    axis.set_title(name)
    axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=bool((known[name] % 1 == 0).all())))
    _finish(axis)


def _draw_pairs(figure: Figure, axis: Axes, trials: pd.DataFrame, first: str, second: str) -> None:
    pairs = trials.groupby([_categories(trials[first]), _categories(trials[second])])["value"]
    table = pairs.max().unstack()
    image = axis.imshow(table, cmap="cividis", aspect="auto")
    middle = (np.nanmin(table) + np.nanmax(table)) / 2
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        if np.isfinite(value):
            colour = "white" if value < middle else "black"
            axis.text(column, row, f"{value:+.1f}", ha="center", va="center", color=colour, fontsize=8)
    axis.set_xticks(range(table.shape[1]), table.columns, rotation=25, ha="right", fontsize=8)
    axis.set_yticks(range(table.shape[0]), table.index, fontsize=8)
    axis.set(xlabel=second, ylabel=first, title="best of each pair")
    figure.colorbar(image, ax=axis, shrink=0.85)


def _star(axis: Axes, x: float, y: float) -> None:
    axis.plot([x], [y], "*", color=PALETTE[1], markersize=13, markeredgecolor="white", zorder=5)


def _jitter(count: int) -> NDArray[np.float64]:
    """Horizontal offsets that separate equal values; not random, so that figures are reproducible."""
    return ((np.arange(count, dtype=np.float64) * 0.618) % 1 - 0.5) * 0.45


def _finish(axis: Axes) -> None:
    axis.margins(y=0.1)
    axis.axhline(0, color="0.5", linewidth=0.8, linestyle=":")
    axis.grid(axis="y", color="0.93")
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8)


def _save(figure: Figure, path: str | Path) -> None:
    """Write a figure atomically; the same figure always gives the same bytes."""
    is_svg = Path(path).suffix == ".svg"
    with atomic(path) as private, mpl.rc_context({"svg.hashsalt": "samcarry"}):
        figure.savefig(private, metadata={"Date": None} if is_svg else None)
