"""Results of tuning: a table of the trials, the gain by parameter, and the best settings."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from samcarry.prompting.cleaning import structuring_element
from samcarry.storage.frames import write_frame
from samcarry.tuning.study import Tried, best, stopped
from samcarry.tuning.tuned_settings import blocks_of, write_tuned


def write_results(
    tuned: str | Path,
    trials: str | Path,
    gains: str | Path,
    refiner: str,
    tried: Sequence[Tried],
    initial: tuple[float, int],
) -> None:
    """Write the best settings (YAML), the table of trials and the gain by parameter (CSV).

    Args:
        tuned: file for the best settings.
        trials: file for the table of trials.
        gains: file for the gain by parameter.
        refiner: 'sam', 'medsam', 'random_walk' or 'zoom'.
        tried: the trials.
        initial: Dice of f_θ and number of masks, as from `objective.initial_dice`.
    """
    table = table_of(tried)
    write_frame(trials, table)
    write_frame(gains, gains_by_parameter(table))
    write_tuned(tuned, blocks_of(refiner, best(tried).settings), comments_on(tried, initial))


def comments_on(tried: Sequence[Tried], initial: tuple[float, int]) -> list[str]:
    """Lines that describe what was tried, and the gain."""
    top, (dice, pairs) = best(tried), initial
    different = len({tuple(trial.settings.items()) for trial in tried})
    pruned = len(stopped(tried))
    winner = "the config's own" if top.gain == tried[0].gain else f"trial {top.number}"
    return [
        f"The best of {len(tried)} trials ({different} different settings) on the validation split: "
        f"{winner}.",
        *([f"trials stopped as clearly worse: {pruned}; their gains are estimates"] if pruned else []),
        f"Dice of f_theta over {pairs} masks: {100 * dice:.2f}",
        f"gain: {100 * top.gain:+.2f} points of Dice",
        f"gain of the config's own settings: {100 * tried[0].gain:+.2f} points of Dice",
    ]


def table_of(tried: Sequence[Tried]) -> pd.DataFrame:
    """One row per trial. Columns: number, value (gain in points of Dice), cases, and one for each parameter.

    `cases` says how many cases were scored. It is smaller than in the first row if the trial was stopped; the
    gain is then an estimate.
    A second pass or a zoom that is absent is 'none'. The operation 'none' has radius 0 and an empty element.
    """
    rows = [
        {"number": t.number, "value": round(100 * t.gain, 4), "cases": t.cases, **t.settings} for t in tried
    ]
    table = pd.DataFrame(rows)
    for absent in {"second", "zoom"} & set(table):
        if table[absent].isna().any():
            table[absent] = table[absent].astype(object).where(table[absent].notna(), "none")
    return table


def gains_by_parameter(table: pd.DataFrame) -> pd.DataFrame:
    """The gain for each value of each parameter, the best value first.

    The search tries good settings more often than bad ones, and combines them with other good ones. The
    best gain is therefore the fairer comparison; the median shows how robust it is. Settings that were
    drawn several times count once.

    Returns:
        Columns: question (the parameter), answer (its value), settings (how many different ones), best and
        median (gain in points of Dice).
    """
    different = table.drop_duplicates([name for name in table if name not in ("number", "value", "cases")])
    parts = []
    for parameter, column in _parameters(different):
        known = column.notna()
        gains = different["value"][known].groupby(column[known].astype(str))
        columns = {"settings": gains.size(), "best": gains.max(), "median": gains.median()}
        part = pd.DataFrame(columns).sort_values("best", ascending=False, kind="stable")
        parts.append(part.rename_axis("answer").reset_index().assign(question=parameter))
    order = ["question", "answer", "settings", "best", "median"]
    return pd.concat(parts, ignore_index=True)[order].round(4)


def _parameters(table: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """Names of the parameters and their values; a value is NaN where the parameter has no effect."""
    if "first" in table:
        yield "first pass", table["first"]
        refined = (table["second"] != "none").map({True: "with", False: "without"})
        yield "self-refinement", refined
        yield "second pass", table["second"]
    if "zoom" in table:
        yield "zoom", table["zoom"]
        yield "first mask prompt", table["prior"]
        yield "weight of SAM", table["fuse"]
        yield "masks", table["multimask"].map({True: "best of three", False: "one"})
        yield "boxes", table["prompts"]
    elif "operation" in table:
        # Element, radius and width have no effect without an operation.
        shaped = table["operation"] != "none"
        yield "operation", table["operation"]
        yield "element", table["element"].where(shaped)
        yield "radius", (table["operation"] + " " + table["radius"].astype(str)).where(shaped)
        pairs = zip(table["element"], table["radius"], strict=True)
        widths = pd.Series([_width(element, radius) for element, radius in pairs], table.index)
        yield "width in pixels", (table["operation"] + " " + widths.astype(str)).where(shaped)
    else:
        yield "background erosion", table["background_erosion"]
        yield "mask erosion", table["mask_erosion"]
        yield "sigma (rounded)", table["sigma"].round().astype(int)


def _width(element: object, radius: int) -> int:
    return len(structuring_element(element, radius)) if isinstance(element, str) else 1
