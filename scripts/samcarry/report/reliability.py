"""Reliability diagrams."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samcarry.report.charts import PALETTE
from samcarry.storage.files import atomic

_HEADS = {"pixel": "this pixel is in the object", "image": "the class is in this image"}
_STYLES = {"before": (PALETTE[1], "s"), "after": (PALETTE[0], "o")}


def draw_reliability(path: str | Path, table: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Draw one row for each method and one column for each level: observed share over predicted probability.

    On the diagonal, a network is calibrated; below it, it is too sure of what it draws. Seeds are put
    together. The area of a point grows with its share of the predictions.

    Args:
        path: the output file.
        table: reliability.csv.
        names: {id: name} of the methods in their order.
    """
    rows = max(1, len(names))
    figure = Figure(figsize=(7.2, 3.4 * rows), layout="constrained", dpi=110)
    axes = figure.subplots(rows, len(_HEADS), squeeze=False)
    for line, (method, name) in zip(axes, names.items(), strict=False):
        for axis, (level, head) in zip(line, _HEADS.items(), strict=True):
            own = table[(table["method"] == method) & (table["level"] == level)]
            _draw(axis, own)
            axis.set_title(f"{name}: {head}", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("predicted probability")
    for axis in axes[:, 0]:
        axis.set_ylabel("share that is true")
    axes[0][0].legend(fontsize=8, frameon=False, loc="upper left")
    with atomic(path) as private:
        figure.savefig(private)


def _draw(axis: Axes, rows: pd.DataFrame) -> None:
    axis.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":")
    for when, (colour, marker) in _STYLES.items():
        own = rows[rows["temperature"] == when]
        weights = own["predictions"]
        sums = pd.DataFrame(
            {
                "predictions": weights,
                "predicted": own["predicted"] * weights,
                "observed": own["observed"] * weights,
            }
        )
        bins = sums.groupby(own["bin"]).sum()
        x, y = bins["predicted"] / bins["predictions"], bins["observed"] / bins["predictions"]
        share = bins["predictions"] / max(bins["predictions"].sum(), 1)
        axis.plot(x, y, linewidth=1, color=colour)
        label = f"{when} temperature"
        axis.scatter(x, y, 8 + 120 * np.sqrt(share), alpha=0.7, label=label, color=colour, marker=marker)
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axis.tick_params(labelsize=8)
