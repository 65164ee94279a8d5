"""summary.md: the scores of all methods and their paired differences as a page, with a reading."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from samcarry.evaluation.formatting import (
    interval_text,
    length_unit,
    markdown_table,
    mean_and_deviation,
    number,
)
from samcarry.evaluation.intervals import explain_intervals
from samcarry.methods import method_of

_WORSE = 5.0  # points of Dice
_READINGS = (  # method, what it is compared with, the sentence
    ("unet_sam", "unet", "SAM made the masks of `unet` {word}"),
    (
        "ours_r",
        "ours_p",
        "Training on SAM's masks (`ours_r`) was {word} than on the first network's own (`ours_p`)",
    ),
    ("ours_best", "fixmatch", "`ours_best` was {word} than `fixmatch`, which it starts from"),
)


def to_markdown(
    dataset: str,
    n: str,
    split: str,
    summary: pd.DataFrame,
    differences: pd.DataFrame,
    missing: dict[str, str],
    margin: float | None = None,
    at: str = "network",
    notes: Sequence[str] = (),
) -> str:
    """A page with the scores of all methods, their paired differences, and why methods are missing.

    Args:
        dataset: name of the data set.
        n: number of labelled training cases, and the draw if it is not the first.
        split: the split on which methods were evaluated.
        summary: table of `summarise`.
        differences: table of `significance.compare`.
        missing: {method: reason} of methods without scores.
        margin: difference in points of Dice up to which methods count as equal; None if there is none.
        at: 'network' or 'native', the size at which masks were scored.
        notes: sentences about the run, for the reading at the top.
    """
    unit = summary["unit"].iloc[0] if len(summary) else "px"
    explanation = (
        f"Dice on the {split} split in percent: mean ± standard deviation over cases, after averaging over "
        "seeds. 'Seeds ±' is the standard deviation over seeds of the mean Dice. HD95 is the 95 % Hausdorff "
        f"distance in {length_unit(unit, at)}. 'False positives' is the share of absent classes that a "
        f"method draws anyway{_without_absent(summary)}. {explain_intervals(summary)}"
    )
    if split != "test":
        explanation = f"This data set has no test case: methods are evaluated on {split}. {explanation}"
    parts = [f"# {dataset}, n = {n}", " ".join([*read_summary(summary), *notes])]
    parts += [explanation, _summary_table(summary, missing)]
    parts += [
        f"No rank for `{row['method']}`, {row['not_converged']}."
        for row in summary.to_dict("records")
        if row["not_converged"]
    ]
    if len(summary):
        names = (f"`{method}` is {method_of(method).name}" for method in summary["method"])
        parts.append(f"Names in figures and in the report: {', '.join(names)}.")
    if len(differences):
        parts += [explain_differences(differences, margin), _difference_table(differences)]
    return "\n\n".join(parts) + "\n"


def read_summary(summary: pd.DataFrame) -> list[str]:
    """What the table says, as sentences: the best method, and what SAM did to the masks.

    They describe means and say nothing about chance.

    Args:
        summary: table of `summarise`.
    """
    means = {row["method"]: row["mean"] for row in summary.to_dict("records") if not np.isnan(row["mean"])}
    sentences = []
    first = summary[summary["rank"] == 1]
    if len(first):
        best = first["method"].iloc[0]
        sentences.append(f"In short: `{best}` has the highest mean Dice, {number(means[best])} %.")
    for method, against, sentence in _READINGS:
        if method not in means or against not in means:
            continue
        change = means[method] - means[against]
        word = "better" if change > 0 else "worse"
        sentences.append(
            f"{sentence.format(word=word)}: {number(means[against])} to {number(means[method])} % "
            f"({number(change, '+.1f')} points)."
        )
        if method == "unet_sam" and change < -_WORSE:
            sentences.append(
                "So this SAM, or how it is asked, does not suit these images; what is trained on its masks "
                "suffers too. Look at figures/cases.png before you judge the method."
            )
    if "unet_full" in means:
        sentences.append(f"With all labels, `unet_full` reaches {number(means['unet_full'])} %.")
    return sentences


def explain_differences(differences: pd.DataFrame, margin: float | None) -> str:
    """What the columns of a table of differences mean, as text.

    Args:
        differences: table of `significance.compare`.
        margin: difference in points of Dice up to which methods count as equal; None if there is none.
    """
    sentences = [
        "Paired differences over cases in points of Dice, with 95 % intervals by patient and p values of "
        "Wilcoxon's two-sided test on the patients' means."
    ]
    primary = differences[differences["primary"] == 1]
    for row in primary.to_dict("records"):
        sentences.append(
            f"{row['method']} ({method_of(row['method']).name}) against {row['against']} "
            f"({method_of(row['against']).name}) is the primary comparison: it was declared before, so its p "
            "is not corrected."
        )
    others = "all other" if len(primary) else "all"
    sentences.append(f"'p (Holm)' is corrected for {others} comparisons in this table.")
    sentences.append(
        "The effect is the mean difference of patients in units of its standard deviation (Cohen's d_z)."
    )
    if margin is not None:
        sentences.append(
            f"'Equal' means that the whole interval is within ±{margin:g} points, the margin of the config: "
            "two one-sided tests, each at 2.5 %."
        )
    return " ".join(sentences)


def difference_cells(row: Mapping[Any, Any]) -> list[str]:
    """What tables show of a difference: itself, its interval, p, p (Holm), effect and whether it is equal."""
    return [
        number(row["difference"], "+.1f"),
        interval_text(row["low"], row["high"], "+.1f").strip(" ()") or "–",
        number(row["p"], ".2g") + (" (primary)" if row["primary"] == 1 else ""),
        number(row["p_holm"], ".2g"),
        number(row["effect"], "+.2f"),
        {1: "yes", 0: "no"}.get(row["equal"], "–"),
    ]


DIFFERENCE_HEADS = ("difference", "95 % interval", "p", "p (Holm)", "effect", "equal")
"""The headings of `difference_cells`."""


def _summary_table(summary: pd.DataFrame, missing: dict[str, str]) -> str:
    heads = (
        "method", "Dice", "seeds ±", "HD95", "surface Dice", "false positives", "rank", "seeds", "cases",
        "patients",
    )  # fmt: skip
    rows = [
        [
            row["method"],
            mean_and_deviation(row["mean"], row["std"]) + interval_text(row["mean_low"], row["mean_high"]),
            number(row["seed_std"]),
            f"{number(row['hd95'])} {row['unit']}{interval_text(row['hd95_low'], row['hd95_high'])}",
            number(row["surface_dice"]) + interval_text(row["surface_dice_low"], row["surface_dice_high"]),
            (f"{number(row['false_positives'])} %" if not np.isnan(row["false_positives"]) else "–")
            + interval_text(row["false_positives_low"], row["false_positives_high"]),
            number(row["rank"], ".0f"),
            str(row["seeds"]),
            str(row["cases"]),
            str(row["patients"]),
        ]
        for row in summary.to_dict("records")
    ]
    rows += [[method, f"n/a: {reason}", *[""] * (len(heads) - 2)] for method, reason in missing.items()]
    return markdown_table(heads, rows)


def _without_absent(summary: pd.DataFrame) -> str:
    """What follows the explanation of false positives if there can be none."""
    return "; here, every class is present in every case" if summary["false_positives"].isna().all() else ""


def _difference_table(differences: pd.DataFrame) -> str:
    rows = [
        [row["method"], row["against"], *difference_cells(row), f"{100 * row['better']:.0f} % of cases"]
        for row in differences.to_dict("records")
    ]
    return markdown_table(("method", "against", *DIFFERENCE_HEADS, "better in"), rows)
