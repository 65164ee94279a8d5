"""The report's section 'How many more labels?'."""

from collections.abc import Sequence

import pandas as pd

from samcarry.evaluation.formatting import interval_text, number
from samcarry.evaluation.label_curve import TEXTS, explain_gains, least_gain, read_gain
from samcarry.methods import method_of
from samcarry.report.page import MoreLabels
from samcarry.report.tables import Table
from samcarry.storage.frames import read_frame


def read_more_labels(paths: Sequence[str], ranked_by: str, margin: float | None) -> MoreLabels | None:
    """The section; None without a learning curve.

    Args:
        paths: label_curve.csv, or nothing.
        ranked_by: the method that the section is about, if it has a curve; else it is the last one that has.
        margin: see `label_curve.least_gain`.
    """
    curve = read_frame(paths[0], TEXTS) if paths else pd.DataFrame()
    if curve.empty:
        return None
    method = ranked_by if ranked_by in set(curve["method"]) else curve["method"].iloc[-1]
    own = curve[curve["method"] == method]
    together = own[own["class"] == ""]
    stop = least_gain(margin)
    return MoreLabels(
        [
            f"{method_of(method).name} now reaches {together['now'].iloc[0]:.1f} % with "
            f"{own['n'].iloc[0]} labelled cases.",
            *explain_gains(own.to_dict("records")[0]),
            *(f"{read_gain(row, stop)}." for row in together.to_dict("records")),
        ],
        _gains_table("Expected gain in points of Dice, with its 95 % interval for one new draw.", own),
    )


def _gains_table(caption: str, gains: pd.DataFrame) -> Table:
    """Expected gains from more labels by class, from label_curve.csv."""
    rows = [
        (
            row["class"] or "all classes",
            str(row["more"]),
            number(row["now"]),
            number(row["gain"], "+.1f") + interval_text(row["low"], row["high"]),
        )
        for row in gains.to_dict("records")
    ]
    heads = ("Class", "More labels", "Dice now, %", "Gain")
    return Table(caption, heads, tuple(rows), frozenset({1, 2, 3}))
