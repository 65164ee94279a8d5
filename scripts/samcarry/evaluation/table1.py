"""Table 1 as CSV, Markdown and LaTeX: methods by supervision, in the paper's order, best ones bold."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from samcarry.evaluation.summary import number, summarise
from samcarry.methods import BEYOND, in_order, method_of
from samcarry.storage.frames import write_frame

TABLE1_COLUMNS = (
    "dataset", "supervision", "method", "n", "seeds", "cases", "mean", "std", "seed_std", "median", "q1",
    "q3", "hd95", "hd95_std", "surface_dice", "surface_dice_std", "false_positives",
)  # fmt: skip

PAPER_COLUMNS = ("paper_mean", "paper_std")


@dataclass(frozen=True)
class Column:
    """A printed column: its head, what it shows of a row, and whether most or least is best."""

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
    "f_θ": r"$f_\theta$", "f_φ": r"$f_\phi$", "(P)": r"($\mathcal{P}$)", "(R)": r"($\mathcal{R}$)",
    "θ": r"$\theta$", "φ": r"$\phi$", "±": r"$\pm$", "×": r"$\times$", "–": "--",
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{character: "\\" + character for character in "&%$#_{}"},
}  # fmt: skip


def tabulate(
    rows: pd.DataFrame,
    methods: Sequence[str],
    *,
    missing: Mapping[str, str],
    notes: Mapping[str, str],
    paper: Mapping[str, tuple[float, float]],
) -> pd.DataFrame:
    """Table 1: one row a method, grouped by supervision in the paper's order, in percent and pixels.

    Columns: those of TABLE1_COLUMNS, which `summarise` explains; paper_mean and paper_std if `paper` has
    any figures; missing (why there are no figures) and note.

    Args:
        rows: of dice.csv, of one n.
        methods: ids of the methods that are compared.
        missing: those that cannot be had, and why; each is a row all the same.
        notes: what a reader has to know of a method, in a sentence.
        paper: the paper's mean and deviation of each method; empty for other data.

    Raises:
        InputError: an id is no method.
    """
    chosen = in_order([*methods, *missing])
    summary = summarise(rows, chosen).set_index("method").reindex(chosen)
    table = summary.assign(
        dataset=rows["dataset"].iloc[0],
        supervision=[method_of(method).supervision for method in chosen],
        method=chosen,
        n=rows["n"].iloc[0],
        seeds=summary["seeds"].fillna(0).astype(int),
        cases=summary["cases"].fillna(0).astype(int),
    )[list(TABLE1_COLUMNS)]
    if paper:
        for place, name in enumerate(PAPER_COLUMNS):
            table[name] = [paper[method][place] if method in paper else float("nan") for method in chosen]
    had = table["seeds"] > 0
    table["missing"] = ["" if had[method] else missing.get(method, "not in dice.csv") for method in chosen]
    table["note"] = [notes.get(method, "") if had[method] else "" for method in chosen]
    return table.reset_index(drop=True)


def caption(table: pd.DataFrame, split: str, tolerance: float) -> str:
    """What the figures of Table 1 are, as plain text; `tolerance` is that of surface Dice, in pixels."""
    seeds, cases = table["seeds"].max(), table["cases"].max()
    of_seeds = f"the {seeds} seeds of a case averaged first" if seeds > 1 else "one seed"
    sentences = [
        f"{table['dataset'].iloc[0]}, n = {table['n'].iloc[0]} labelled cases: mean ± standard deviation "
        f"over the {cases} cases of the {split} split, {of_seeds}.",
        f"Dice, surface Dice (within {tolerance:g} px) and false positives in percent; HD95 is the 95 % "
        "Hausdorff distance in pixels at network size.",
        "A case's score is the mean over the classes present in its reference; a class that is not found "
        "counts with Dice and surface Dice 0 and with the image's diagonal as HD95.",
        "False positives are the share of absent classes that are drawn all the same; "
        "seeds ± is the standard deviation over seeds of the mean Dice.",
        "Bold: best of the paper's methods with few labels.",
    ]
    if split != "test":
        sentences.insert(0, f"This data set has no test case: methods are judged on {split}.")
    if BEYOND in set(table["supervision"]):
        sentences.append("Methods beyond the paper stand below the rule and are never bold.")
    if "paper_mean" in table:
        sentences.append("Paper: the Dice that the paper reports, from its own runs.")
    return " ".join(sentences)


def to_markdown(table: pd.DataFrame, split: str, tolerance: float) -> str:
    """Table 1 as a page of Markdown, its columns aligned for a terminal."""
    columns = columns_of(table)
    bold = {column.head: best_figure(table, column) for column in columns}
    notes = _footnotes(table["note"])
    head = ["supervision", "method", *(column.head for column in columns), "seeds", "cases", "id"]
    lines: list[list[str]] = []
    last = None
    for row in _records(table):
        method = method_of(row["method"])
        if last is not None and last.in_paper and not method.in_paper:
            lines.append([""] * len(head))
        group = method.supervision if last is None or last.supervision != method.supervision else ""
        cells = [_markdown_cell(row, column, bold[column.head]) for column in columns]
        if row["missing"]:
            cells[0] = f"n/a: {_one_cell(row['missing'])}"
        mark = f" {_superscript(notes[row['note']])}" if row["note"] else ""
        counts = (str(row["seeds"]), str(row["cases"]))
        lines.append([group, method.name + mark, *cells, *counts, f"`{method.id}`"])
        last = method
    page = [
        f"# {table['dataset'].iloc[0]}: Table 1, n = {table['n'].iloc[0]}",
        _grid(head, lines),
        caption(table, split, tolerance) + " Paired tests of every two methods: differences.csv.",
        *(f"{_superscript(place)} {note}" for note, place in notes.items()),
    ]
    return "\n\n".join(page) + "\n"


def to_tex(table: pd.DataFrame, split: str, tolerance: float) -> str:
    """Table 1 as a LaTeX table, to be pasted into a paper that loads booktabs."""
    columns = columns_of(table)
    bold = {column.head: best_figure(table, column) for column in columns}
    notes = _footnotes([*table["note"], *(f"n/a: {why}" for why in table["missing"] if why)])
    lines: list[str] = []
    last = ""
    for row in _records(table):
        method = method_of(row["method"])
        new = method.supervision != last
        if new and last:
            lines.append(r"\midrule")
        cells = [_tex_cell(row, column, bold[column.head]) for column in columns]
        if row["missing"]:
            cells[0] = "n/a" + _tex_mark(notes[f"n/a: {row['missing']}"])
        name = escape(method.name) + (_tex_mark(notes[row["note"]]) if row["note"] else "")
        lines.append(" & ".join([method.supervision.capitalize() if new else "", name, *cells]) + r" \\")
        last = method.supervision
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
    """Text for LaTeX: its special characters escaped, the paper's symbols as mathematics."""
    symbols = sorted(_TEX, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, symbols)), lambda found: _TEX[found[0]], text)


def write_statistics(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, atomically; six significant digits, so that small p values stay."""
    write_frame(path, table, "%.6g")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def columns_of(table: pd.DataFrame) -> tuple[Column, ...]:
    """The columns that are printed; the paper's own figures where the table has them."""
    return (*SCORES, PAPER) if PAPER.mean in table else SCORES


def best_figure(table: pd.DataFrame, column: Column) -> str | None:
    """The best figure of a column as it is printed, so that what looks equal is treated alike."""
    among = [method_of(method).in_paper for method in table["method"]]
    values = table.loc[among, column.mean].dropna()
    return number(column.best(values.tolist())) if column.best and len(values) else None


def is_bold(row: Mapping[Any, Any], column: Column, best: str | None) -> bool:
    """Whether a row's figure is printed bold, `best` being `best_figure` of the column."""
    return method_of(row["method"]).in_paper and number(row[column.mean]) == best


def _markdown_cell(row: Mapping[str, Any], column: Column, best: str | None) -> str:
    if pd.isna(row[column.mean]):
        return "–"
    text = number(row[column.mean])
    if column.deviation:
        text += f" ± {number(row[column.deviation])}"
    return f"**{text}**" if is_bold(row, column, best) else text


def _tex_cell(row: Mapping[str, Any], column: Column, best: str | None) -> str:
    if pd.isna(row[column.mean]):
        return "--"
    text = number(row[column.mean])
    if is_bold(row, column, best):
        text = rf"\mathbf{{{text}}}"
    if column.deviation and pd.notna(row[column.deviation]):
        text += rf" \pm {number(row[column.deviation])}"
    return f"${text}$"


def _footnotes(notes: Iterable[str]) -> dict[str, int]:
    """The number of each note; methods that share a note share its number."""
    return {note: place for place, note in enumerate(dict.fromkeys(filter(None, notes)), start=1)}


def _superscript(place: int) -> str:
    return str(place).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _tex_mark(place: int) -> str:
    return rf"\textsuperscript{{{place}}}"


def _sentence_case(text: str) -> str:
    return text[0].upper() + text[1:]


def _one_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _grid(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up; the reason why a method is n/a may run over."""
    columns = zip(head, *lines, strict=True)
    widths = [max(len(cell) for cell in column if not cell.startswith("n/a: ")) for column in columns]
    printed = [head, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in printed
    )
