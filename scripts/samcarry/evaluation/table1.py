"""Table 1 as CSV, Markdown and LaTeX: methods grouped by supervision, in the order of the paper."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from samcarry.evaluation.formatting import footnote_numbers, markdown_table, mean_and_deviation, number
from samcarry.evaluation.summary import summarise
from samcarry.methods import BEYOND, in_order, method_of
from samcarry.storage.frames import write_frame

TABLE1_COLUMNS = (
    "dataset",
    "supervision",
    "method",
    "n",
    "seeds",
    "cases",
    "mean",
    "std",
    "seed_std",
    "median",
    "q1",
    "q3",
    "hd95",
    "hd95_std",
    "surface_dice",
    "surface_dice_std",
    "false_positives",
)

PAPER_COLUMNS = ("paper_mean", "paper_std")


@dataclass(frozen=True)
class Column:
    """A printed column of Table 1.

    Attributes:
        head: its heading.
        mean: the column of table1.csv with the mean.
        deviation: the column with the standard deviation, if it is printed.
        best: `max` or `min`, whichever is better; None if no figure is printed in bold.
    """

    head: str
    mean: str
    deviation: str | None = None
    best: Callable[[Sequence[float]], float] | None = None


SCORES = (
    Column("Dice", "mean", "std", max),
    Column("seeds ±", "seed_std"),
    Column("HD95 (px)", "hd95", "hd95_std", min),
    Column("surface Dice", "surface_dice", "surface_dice_std", max),
    Column("false positives", "false_positives", None, min),
)

PAPER = Column("paper", *PAPER_COLUMNS)

_TEX = {
    "f_θ": r"$f_\theta$",
    "f_φ": r"$f_\phi$",
    "(P)": r"($\mathcal{P}$)",
    "(R)": r"($\mathcal{R}$)",
    "θ": r"$\theta$",
    "φ": r"$\phi$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "–": "--",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: "\\" + character for character in "&%$#_{}"},
}


def tabulate(
    rows: pd.DataFrame,
    methods: Sequence[str],
    *,
    missing: Mapping[str, str],
    notes: Mapping[str, str],
    paper: Mapping[str, tuple[float, float]],
) -> pd.DataFrame:
    """Table 1: one row per method, grouped by supervision in the paper's order, in percent and pixels.

    Columns: TABLE1_COLUMNS (see `summarise`); paper_mean and paper_std if `paper` is not empty; missing
    (the reason why a method has no figures) and note.

    Args:
        rows: rows of dice.csv for one n.
        methods: ids of the compared methods.
        missing: {method: reason} of methods that cannot be run; each of them still gets a row.
        notes: {method: a sentence that readers need}.
        paper: {method: (mean, standard deviation)} as printed in the paper; empty for other data.

    Raises:
        InputError: an id is not a method.
    """
    chosen = in_order([*methods, *missing])
    summary = summarise(rows, chosen).set_index("method").reindex(chosen)
    table = summary.assign(
        dataset=rows["dataset"].iloc[0],
        supervision=[method_of(method).group for method in chosen],
        method=chosen,
        n=rows["n"].iloc[0],
        seeds=summary["seeds"].fillna(0).astype(int),
        cases=summary["cases"].fillna(0).astype(int),
    )[list(TABLE1_COLUMNS)]
    if paper:
        for place, name in enumerate(PAPER_COLUMNS):
            table[name] = [paper[method][place] if method in paper else float("nan") for method in chosen]
    scored = table["seeds"] > 0
    table["missing"] = ["" if scored[method] else missing.get(method, "not in dice.csv") for method in chosen]
    table["note"] = [notes.get(method, "") if scored[method] else "" for method in chosen]
    return table.reset_index(drop=True)


def caption(table: pd.DataFrame, split: str, tolerance: float) -> str:
    """The caption of Table 1 as plain text, which explains its figures.

    Args:
        table: table of `tabulate`.
        split: the split on which methods were evaluated.
        tolerance: tolerance of surface Dice in pixels.
    """
    seeds, cases = table["seeds"].max(), table["cases"].max()
    averaged = f"after averaging over {seeds} seeds" if seeds > 1 else "one seed"
    sentences = [
        f"{table['dataset'].iloc[0]}, n = {table['n'].iloc[0]} labelled cases: mean ± standard deviation "
        f"over the {cases} cases of the {split} split, {averaged}.",
        f"Dice, surface Dice (within {tolerance:g} px) and false positives are in percent.",
        "HD95 is the 95 % Hausdorff distance in pixels at network size.",
        "The score of a case is the mean over the classes present in its reference.",
        "A class that is not found counts with Dice 0, surface Dice 0 and the image diagonal as HD95.",
        "False positives are the share of absent classes that a method draws anyway.",
        "Seeds ± is the standard deviation over seeds of the mean Dice.",
        "Bold: best of the paper's methods with few labels.",
    ]
    if split != "test":
        sentences.insert(0, f"This data set has no test case: methods are evaluated on {split}.")
    if BEYOND in set(table["supervision"]):
        sentences.append("Methods beyond the paper are below the rule and never bold.")
    if "paper_mean" in table:
        sentences.append("Paper: the Dice that the paper reports for its own runs.")
    return " ".join(sentences)


def to_markdown(table: pd.DataFrame, split: str, tolerance: float) -> str:
    """Table 1 as a Markdown page; arguments as for `caption`."""
    columns = columns_of(table)
    bold = {column.head: best_figure(table, column) for column in columns}
    notes = footnote_numbers(table["note"])
    head = ["supervision", "method", *(column.head for column in columns), "seeds", "cases", "id"]
    lines: list[list[str]] = []
    last = None
    for row in _records(table):
        method = method_of(row["method"])
        if last is not None and last.in_paper and not method.in_paper:
            lines.append([""] * len(head))
        group = method.group if last is None or last.group != method.group else ""
        cells = [_markdown_cell(row, column, bold[column.head]) for column in columns]
        if row["missing"]:
            cells[0] = f"n/a: {row['missing']}"
        mark = f" {_superscript(notes[row['note']])}" if row["note"] else ""
        counts = (str(row["seeds"]), str(row["cases"]))
        lines.append([group, method.name + mark, *cells, *counts, f"`{method.id}`"])
        last = method
    page = [
        f"# {table['dataset'].iloc[0]}: Table 1, n = {table['n'].iloc[0]}",
        markdown_table(head, lines),
        caption(table, split, tolerance) + " Paired tests of all pairs of methods are in differences.csv.",
        *(f"{_superscript(place)} {note}" for note, place in notes.items()),
    ]
    return "\n\n".join(page) + "\n"


def to_tex(table: pd.DataFrame, split: str, tolerance: float) -> str:
    """Table 1 as a LaTeX table that can be pasted into a paper; arguments as for `caption`.

    pandas' Styler.to_latex is not used: it sets no rules between groups and no notes below the table,
    its escaping does not know the paper's symbols, and it needs jinja2.
    """
    columns = columns_of(table)
    bold = {column.head: best_figure(table, column) for column in columns}
    notes = footnote_numbers([*table["note"], *(f"n/a: {why}" for why in table["missing"] if why)])
    lines: list[str] = []
    last = ""
    for row in _records(table):
        method = method_of(row["method"])
        new = method.group != last
        if new and last:
            lines.append(r"\midrule")
        cells = [_tex_cell(row, column, bold[column.head]) for column in columns]
        if row["missing"]:
            cells[0] = "n/a" + _tex_mark(notes[f"n/a: {row['missing']}"])
        name = escape(method.name) + (_tex_mark(notes[row["note"]]) if row["note"] else "")
        lines.append(" & ".join([method.group.capitalize() if new else "", name, *cells]) + r" \\")
        last = method.group
    head = " & ".join(["Supervision", "Method", *(_sentence_case(escape(column.head)) for column in columns)])
    under = [rf"{_tex_mark(place)}\,{escape(note)}" for note, place in notes.items()]
    label = re.sub(r"[^A-Za-z0-9]+", "-", str(table["dataset"].iloc[0])).strip("-")
    body = [r"\toprule", head + r" \\", r"\midrule", *lines, r"\bottomrule"]
    return "\n".join(
        [
            r"% Needs \usepackage{booktabs}.",
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{escape(caption(table, split, tolerance))}}}",
            rf"  \label{{tab:results-{label}}}",
            rf"  \begin{{tabular}}{{ll{'c' * len(columns)}}}",
            *(f"    {line}" for line in body),
            r"  \end{tabular}",
            *([r"  \par\smallskip\footnotesize", "  " + "\\\\\n  ".join(under)] if under else []),
            r"\end{table}",
            "",
        ]
    )


def escape(text: str) -> str:
    """Text for LaTeX: special characters are escaped, the paper's symbols become mathematics."""
    symbols = sorted(_TEX, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, symbols)), lambda found: _TEX[found[0]], text)


def write_statistics(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, atomically, with six significant digits, which keeps small p values."""
    write_frame(path, table, "%.6g")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def columns_of(table: pd.DataFrame) -> tuple[Column, ...]:
    """The printed columns; they include the paper's own figures if the table has them."""
    return (*SCORES, PAPER) if PAPER.mean in table else SCORES


def best_figure(table: pd.DataFrame, column: Column) -> str | None:
    """The best figure of a column as printed, so that figures that look equal are treated equally."""
    among = [method_of(method).in_paper for method in table["method"]]
    values = table.loc[among, column.mean].dropna()
    return number(column.best(values.tolist())) if column.best and len(values) else None


def is_bold(row: Mapping[Any, Any], column: Column, best: str | None) -> bool:
    """Whether a row's figure is printed bold; `best` is the `best_figure` of the column."""
    return method_of(row["method"]).in_paper and number(row[column.mean]) == best


def figure_of(row: Mapping[Any, Any], column: Column) -> str:
    """What a row shows in a column: a mean, with its deviation if the column has one."""
    if column.deviation is None:
        return number(row[column.mean])
    return mean_and_deviation(row[column.mean], row[column.deviation])


def _markdown_cell(row: Mapping[str, Any], column: Column, best: str | None) -> str:
    text = figure_of(row, column)
    return f"**{text}**" if is_bold(row, column, best) else text


def _tex_cell(row: Mapping[str, Any], column: Column, best: str | None) -> str:
    if pd.isna(row[column.mean]):
        return "--"
    mean, sign, deviation = figure_of(row, column).partition(" ± ")
    if is_bold(row, column, best):
        mean = rf"\mathbf{{{mean}}}"
    return rf"${mean} \pm {deviation}$" if sign else f"${mean}$"


def _superscript(place: int) -> str:
    return str(place).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _tex_mark(place: int) -> str:
    return rf"\textsuperscript{{{place}}}"


def _sentence_case(text: str) -> str:
    return text[0].upper() + text[1:]
