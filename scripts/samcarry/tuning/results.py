"""What a tuning hands back: the table of its trials, what they say about each parameter, and the best."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from samcarry.prompting.cleaning import structuring_element
from samcarry.storage.frames import write_frame
from samcarry.tuning.study import Tried, best
from samcarry.tuning.tuned_settings import blocks_of, write_tuned


def write_results(
    tuned: str | Path,
    trials: str | Path,
    answers: str | Path,
    refiner: str,
    tried: Sequence[Tried],
    initial: tuple[float, int],
) -> None:
    """Write the best settings (YAML), the table of trials and its answers (CSV).

    Args:
        tuned: file of the best settings.
        trials: file of the table of trials.
        answers: file of the answers.
        refiner: 'sam', 'medsam' or 'random_walk'.
        tried: the trials.
        initial: as `gains.initial_dice` returns it.
    """
    table = table_of(tried)
    write_frame(trials, table)
    write_frame(answers, answers_of(table))
    write_tuned(tuned, blocks_of(refiner, best(tried).settings), comments_on(tried, initial))


def comments_on(tried: Sequence[Tried], initial: tuple[float, int]) -> list[str]:
    """Lines that say what was tried and what it won."""
    top, (dice, pairs) = best(tried), initial
    different = len({tuple(trial.settings.items()) for trial in tried})
    winner = "the config's own" if top.gain == tried[0].gain else f"trial {top.number}"
    return [
        f"The best of {len(tried)} trials ({different} different settings) on the validation split: "
        f"{winner}.",
        f"Dice of f_theta over {pairs} masks: {100 * dice:.2f}",
        f"gain: {100 * top.gain:+.2f} points of Dice",
        f"gain of the config's own settings: {100 * tried[0].gain:+.2f} points of Dice",
    ]


def table_of(tried: Sequence[Tried]) -> pd.DataFrame:
    """One row a trial. Columns: number, value (gain in points of Dice), then one a parameter.

    No second pass is 'none'. An operation 'none' has radius 0 and an empty element.
    """
    rows = [{"number": t.number, "value": round(100 * t.gain, 4), **t.settings} for t in tried]
    table = pd.DataFrame(rows)
    if "second" in table:
        table["second"] = table["second"].fillna("none")
    return table


def answers_of(table: pd.DataFrame) -> pd.DataFrame:
    """What the trials say about each parameter, the best value first.

    The search tries good settings more often than bad ones, and with company that suits them: the best
    gain is the fairer comparison, the median tells how robust it is. Settings that came up again count
    once.

    Returns:
        Columns: question, answer, settings (how many different ones), best, median (points of Dice).
    """
    different = table.drop_duplicates([name for name in table if name not in ("number", "value")])
    parts = []
    for question, column in _questions(different):
        asked = column.notna()
        gains = different["value"][asked].groupby(column[asked].astype(str))
        columns = {"settings": gains.size(), "best": gains.max(), "median": gains.median()}
        part = pd.DataFrame(columns).sort_values("best", ascending=False, kind="stable")
        parts.append(part.rename_axis("answer").reset_index().assign(question=question))
    order = ["question", "answer", "settings", "best", "median"]
    return pd.concat(parts, ignore_index=True)[order].round(4)


def _questions(table: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    if "first" in table:
        yield "first pass", table["first"]
        refined = (table["second"] != "none").map({True: "with", False: "without"})
        yield "self-refinement", refined
        yield "second pass", table["second"]
    if "operation" in table:
        # Radius and width mean something only along with the operation; empty where there is none.
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
