"""Table 1 as CSV, Markdown and LaTeX: methods grouped by supervision, in the order of the paper."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from samcarry.evaluation.formatting import (
    footnote_numbers,
    interval_text,
    length_unit,
    markdown_table,
    mean_and_deviation,
    number,
)
from samcarry.evaluation.intervals import explain_intervals
from samcarry.evaluation.summary import Patients, summarise, unit_of
from samcarry.methods import BEYOND, SECOND_READER, in_order, method_of
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
    "patients",
    "rank",
    "mean_low",
    "mean_high",
    "hd95_low",
    "hd95_high",
    "surface_dice_low",
    "surface_dice_high",
    "false_positives_low",
    "false_positives_high",
    "interval",
    "unit",
)

PAPER_COLUMNS = ("paper_mean", "paper_std")


@dataclass(frozen=True)
class Column:
    """A printed column of Table 1.

    Attributes:
        head: its heading.
        mean: the column of table1.csv with the mean. Its interval, if it has one, is in the columns with
            `_low` and `_high` at the end of the name.
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
    Column("HD95", "hd95", "hd95_std", min),  # its unit is added to the head
    Column("surface Dice", "surface_dice", "surface_dice_std", max),
    Column("false positives", "false_positives", None, min),
)

DRAWS = Column("labels ±", "draw_std")

PAPER = Column("paper", *PAPER_COLUMNS)

RANKS = (
    "Ranks are by mean Dice; full supervision and methods that have not converged have none, and are never "
    "bold."
)

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
    patients: Patients = None,
    not_converged: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Table 1: one row per method, grouped by supervision in the paper's order, in percent and px or mm.

    Columns: TABLE1_COLUMNS (see `summarise`); paper_mean and paper_std if `paper` is not empty; missing
    (the reason why a method has no figures) and note.

    Args:
        rows: rows of dice.csv for one n.
        methods: ids of the compared methods.
        missing: {method: reason} of methods that cannot be run; each of them still gets a row.
        notes: {method: a sentence that readers need}.
        paper: {method: (mean, standard deviation)} as printed in the paper; empty for other data.
        patients: {case: patient}.
        not_converged: {method: reason}, from `convergence.not_converged`; these have no rank, and a note.

    Raises:
        InputError: an id is not a method.
    """
    chosen = in_order([*methods, *missing])
    summary = summarise(rows, chosen, patients, not_converged).set_index("method").reindex(chosen)
    table = summary.assign(
        dataset=rows["dataset"].iloc[0],
        supervision=[method_of(method).group for method in chosen],
        method=chosen,
        n=rows["n"].iloc[0],
        seeds=summary["seeds"].fillna(0).astype(int),
        cases=summary["cases"].fillna(0).astype(int),
        patients=summary["patients"].fillna(0).astype(int),
        interval=summary["interval"].fillna(""),
        unit=unit_of(rows),
    )[list(TABLE1_COLUMNS)]
    if paper:
        for place, name in enumerate(PAPER_COLUMNS):
            table[name] = [paper[method][place] if method in paper else float("nan") for method in chosen]
    scored = table["seeds"] > 0
    table["missing"] = ["" if scored[method] else missing.get(method, "not in dice.csv") for method in chosen]
    faults = summary["not_converged"].fillna("")
    remarks = [(notes.get(method, ""), faults[method]) if scored[method] else () for method in chosen]
    table["note"] = ["; ".join(filter(None, both)) for both in remarks]
    return table.reset_index(drop=True)


def caption(table: pd.DataFrame, split: str, tolerance: float, at: str = "network") -> str:
    """The caption of Table 1 as plain text, which explains its figures.

    Args:
        table: table of `tabulate`.
        split: the split on which methods were evaluated.
        tolerance: tolerance of surface Dice, in the unit of distances.
        at: 'network' or 'native', the size at which masks were scored.
    """
    unit = table["unit"].iloc[0]
    seeds, cases = table["seeds"].max(), table["cases"].max()
    averaged = f"after averaging over {seeds} seeds" if seeds > 1 else "one seed"
    sentences = [
        f"{table['dataset'].iloc[0]}, n = {table['n'].iloc[0]} labelled cases: mean ± standard deviation "
        f"over the {cases} cases of the {split} split, {averaged}.",
        f"Dice, surface Dice (within {tolerance:g} {unit}) and false positives are in percent.",
        f"HD95 is the 95 % Hausdorff distance in {length_unit(unit, at)}.",
        *(["Masks are scored at the size of the original images."] if at == "native" else []),
        "The score of a case is the mean over the classes present in its reference.",
        "A class that is not found counts with Dice 0, surface Dice 0 and the image diagonal as HD95.",
        "False positives are the share of absent classes that a method draws anyway.",
        "Seeds ± is the standard deviation over seeds of the mean Dice.",
        *explain_draws(table),
        explain_intervals(table),
        RANKS,
        "Bold: best of the paper's methods with few labels.",
    ]
    if split != "test":
        sentences.insert(0, f"This data set has no test case: methods are evaluated on {split}.")
    if BEYOND in set(table["supervision"]):
        sentences.append("Methods beyond the paper are below the rule and never bold.")
    if SECOND_READER in set(table["method"]):
        sentences.append(
            "A second reader: the Dice between two people who labelled the same images; it has no rank."
        )
    if "paper_mean" in table:
        sentences.append("Paper: the Dice that the paper reports for its own runs.")
    return " ".join(sentences)


def explain_draws(table: pd.DataFrame) -> list[str]:
    """What the column of draws means, or nothing if X^n was not drawn several times."""
    if not has_draws(table):
        return []
    seeds = table.loc[table["draws"] > 1, "seeds"].max()
    apart = "apart from seeds" if seeds > 1 else "seeds included"
    return [
        f"Labels ± is the standard deviation of the mean Dice over {table['draws'].max()} draws of the "
        f"labelled cases, {apart}; the other figures are those of the first draw."
    ]


def to_markdown(table: pd.DataFrame, split: str, tolerance: float, at: str = "network") -> str:
    """Table 1 as a Markdown page; arguments as for `caption`."""
    columns = columns_of(table)
    bold = {column.head: best_figure(table, column) for column in columns}
    notes = footnote_numbers(table["note"])
    heads = [column.head for column in columns]
    head = ["supervision", "method", *heads, "rank", "seeds", "cases", "patients", "id"]
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
        counts = [number(row["rank"], ".0f"), *(str(row[name]) for name in ("seeds", "cases", "patients"))]
        lines.append([group, method.name + mark, *cells, *counts, f"`{method.id}`"])
        last = method
    page = [
        f"# {table['dataset'].iloc[0]}: Table 1, n = {table['n'].iloc[0]}",
        markdown_table(head, lines),
        caption(table, split, tolerance, at)
        + " Paired tests of all pairs of methods are in differences.csv.",
        *(f"{_superscript(place)} {note}" for note, place in notes.items()),
    ]
    return "\n\n".join(page) + "\n"


def to_tex(table: pd.DataFrame, split: str, tolerance: float, at: str = "network") -> str:
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
            rf"  \caption{{{escape(caption(table, split, tolerance, at))}}}",
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
    """The printed columns; with the spread over draws and the paper's own figures if there are any."""
    unit = table["unit"].iloc[0]
    scores = tuple(
        replace(score, head=f"{score.head} ({unit})") if score.mean == "hd95" else score for score in SCORES
    )
    if has_draws(table):
        scores = (*scores[:2], DRAWS, *scores[2:])
    return (*scores, PAPER) if PAPER.mean in table else scores


def has_draws(table: pd.DataFrame) -> bool:
    """Whether X^n was drawn several times."""
    return "draws" in table and bool((table["draws"] > 1).any())


def best_figure(table: pd.DataFrame, column: Column) -> str | None:
    """The best figure of a column as printed, so that figures that look equal are treated equally."""
    values = table.loc[table.apply(_may_be_best, axis=1), column.mean].dropna()
    return number(column.best(values.tolist())) if column.best and len(values) else None


def is_bold(row: Mapping[Any, Any], column: Column, best: str | None) -> bool:
    """Whether a row's figure is printed bold; `best` is the `best_figure` of the column."""
    return _may_be_best(row) and number(row[column.mean]) == best


def _may_be_best(row: Mapping[Any, Any]) -> bool:
    return method_of(row["method"]).in_paper and not pd.isna(row["rank"])


def figure_of(row: Mapping[Any, Any], column: Column) -> str:
    """What a row shows in a column: a mean, with its deviation and interval if the column has them."""
    return _mean_of(row, column) + _interval_of(row, column)


def _mean_of(row: Mapping[Any, Any], column: Column) -> str:
    if column.deviation is None:
        return number(row[column.mean])
    return mean_and_deviation(row[column.mean], row[column.deviation])


def _interval_of(row: Mapping[Any, Any], column: Column) -> str:
    nan = float("nan")
    return interval_text(row.get(f"{column.mean}_low", nan), row.get(f"{column.mean}_high", nan))


def _markdown_cell(row: Mapping[str, Any], column: Column, best: str | None) -> str:
    text = figure_of(row, column)
    return f"**{text}**" if is_bold(row, column, best) else text


def _tex_cell(row: Mapping[str, Any], column: Column, best: str | None) -> str:
    if pd.isna(row[column.mean]):
        return "--"
    mean, sign, deviation = _mean_of(row, column).partition(" ± ")
    if is_bold(row, column, best):
        mean = rf"\mathbf{{{mean}}}"
    return (rf"${mean} \pm {deviation}$" if sign else f"${mean}$") + _interval_of(row, column)


def _superscript(place: int) -> str:
    return str(place).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _tex_mark(place: int) -> str:
    return rf"\textsuperscript{{{place}}}"


def _sentence_case(text: str) -> str:
    return text[0].upper() + text[1:]
