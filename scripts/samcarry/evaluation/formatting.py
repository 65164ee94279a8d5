"""Scores and tables as text: the one form that pages, tables and figures share."""

import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from samcarry.evaluation.dice import dice


def number(value: float, form: str = ".1f") -> str:
    """A number as text, such as '75.4'; a dash if it is NaN."""
    return "–" if math.isnan(value) else format(value, form)


def mean_and_deviation(mean: float, deviation: float) -> str:
    """A mean and its standard deviation as '75.4 ± 8.1'; '75.4' or '–' where one or both are NaN."""
    text = number(mean)
    return text if math.isnan(mean) or math.isnan(deviation) else f"{text} ± {number(deviation)}"


def length_unit(unit: str, at: str) -> str:
    """The unit of distances for readers: 'mm', 'pixels at network size' or 'pixels of the original images'.

    Args:
        unit: 'mm' or 'px'.
        at: 'network' or 'native', the size at which masks were scored.
    """
    if unit == "mm":
        return unit
    return f"pixels {'at network size' if at == 'network' else 'of the original images'}"


def interval_text(low: float, high: float, form: str = ".1f") -> str:
    """The ends of an interval as ' (70.1 to 80.2)', to follow a mean; '' if there is none."""
    return "" if math.isnan(low) else f" ({number(low, form)} to {number(high, form)})"


def mean_and_deviation_of(values: Sequence[float]) -> str:
    """Mean ± sample standard deviation (divisor n - 1, as in pandas) of numbers as text.

    One number has no deviation, and none at all gives a dash.
    """
    mean = statistics.fmean(values) if values else math.nan
    deviation = statistics.stdev(values) if len(values) > 1 else math.nan
    return mean_and_deviation(mean, deviation)


def format_dice(reference: NDArray[np.bool_], masks: NDArray[np.bool_]) -> str:
    """Dice in percent, mean ± deviation over the classes present in the reference; '' if none is.

    Args:
        reference: true masks (class, height, width).
        masks: predicted masks of the same shape.
    """
    pairs = (dice(true, drawn) for true, drawn in zip(reference, masks, strict=True))
    values = [100 * value for value in pairs if value is not None]
    return mean_and_deviation_of(values) if values else ""


def footnote_numbers(notes: Iterable[str]) -> dict[str, int]:
    """{note: number from 1} in order of appearance; equal notes share a number, empty ones have none."""
    return {note: place for place, note in enumerate(dict.fromkeys(filter(None, notes)), start=1)}


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up in a terminal; pipes and line breaks in cells are escaped.

    A cell that starts with 'n/a: ' may be wider than its column. pandas.DataFrame.to_markdown would
    widen the whole column to one long reason.
    """
    lines = [[" ".join(cell.split()).replace("|", r"\|") for cell in row] for row in (heads, *rows)]
    columns = zip(*lines, strict=True)
    widths = [max(len(cell) for cell in column if not cell.startswith("n/a: ")) for column in columns]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )
